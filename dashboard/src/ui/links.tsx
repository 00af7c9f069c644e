// Mantine's looks on the router's links, with the router's types.
import { ActionIcon, type ActionIconProps, Anchor, type AnchorProps, Button, type ButtonProps } from "@mantine/core";
import { createLink } from "@tanstack/react-router";
import type { AnchorHTMLAttributes } from "react";

type Html = Omit<AnchorHTMLAttributes<HTMLAnchorElement>, keyof ButtonProps | keyof AnchorProps>;

export const ButtonLink = createLink((props: ButtonProps & Html) => <Button component="a" {...props} />);
export const AnchorLink = createLink((props: AnchorProps & Html) => <Anchor {...props} />);
export const IconLink = createLink((props: ActionIconProps & Html) => <ActionIcon component="a" {...props} />);
