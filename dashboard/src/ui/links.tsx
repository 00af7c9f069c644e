// Mantine's looks on the router's links, with the router's types.
import { Anchor, type AnchorProps, Badge, type BadgeProps, Button, type ButtonProps } from "@mantine/core";
import { createLink } from "@tanstack/react-router";
import type { AnchorHTMLAttributes } from "react";

type Html = Omit<AnchorHTMLAttributes<HTMLAnchorElement>, keyof ButtonProps | keyof AnchorProps | keyof BadgeProps>;

export const ButtonLink = createLink((props: ButtonProps & Html) => <Button component="a" {...props} />);
export const AnchorLink = createLink((props: AnchorProps & Html) => <Anchor {...props} />);
export const BadgeLink = createLink((props: BadgeProps & Html) => <Badge component="a" {...props} style={{ cursor: "pointer" }} />);
