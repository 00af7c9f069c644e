import { describe, expect, it } from "vitest";
import { checkRequest, EMPTY_FORM, folder, trainRequest } from "./trainRequest";

const named = { ...EMPTY_FORM, model: "scenes", dataset: { source: "photos", prefix: "train" } };

describe("a training's request", () => {
  it("is not there before its required fields are", () => {
    expect(trainRequest(EMPTY_FORM)).toBeNull();
    expect(trainRequest({ ...named, held: "set" })).toBeNull();
  });

  it("leaves out what was left empty", () => {
    expect(trainRequest(named)).toEqual({ model: "scenes", dataset: { source: "photos", prefix: "train/" } });
    expect(trainRequest({ ...named, numbers: { epochs: "" }, choices: { freeze: null } })).toEqual(trainRequest(named));
  });

  it("carries what was filled in", () => {
    const form = { ...named, share: 20, pretrained: "imagenet", numbers: { epochs: 5, learningRate: 0.01, patience: 3 }, choices: { freeze: "gradual", bestBy: "map" } };
    expect(trainRequest(form)).toMatchObject({
      validation: { fraction: 0.2 }, pretrained: "imagenet", epochs: 5, learning_rate: 0.01, early_stopping: { patience: 3 }, freeze: "gradual", best_by: "map",
    });
  });

  it("gathers changes of the pictures", () => {
    const request = trainRequest({ ...named, numbers: { mixup: 0.2, randAugment: 9 }, off: ["mirror"] });
    expect(request?.augment).toEqual({ mixup: 0.2, rand_augment: 9, mirror: false });
  });

  it("asks for crops of full size whatever the smallest one would be", () => {
    const request = trainRequest({ ...named, numbers: { resizedCrop: 0.5 }, off: ["resized"] });
    expect(request?.augment).toEqual({ resized_crop: null });
  });

  it("names folders so that they match nothing beside them", () => {
    expect(["", "val", "val/", " a/b "].map((prefix) => folder({ source: "s", prefix }).prefix)).toEqual(["", "val/", "val/", "a/b/"]);
  });
});

describe("the check of a training's pictures", () => {
  it("leaves out what was left empty", () => {
    expect(checkRequest(named, null)).toEqual({ source: "photos", body: { prefix: "train/" } });
    expect(checkRequest({ ...named, held: "set", numbers: { leastPictures: "" } }, null)).toEqual(checkRequest(named, null));
  });

  it("is about what the training would be given", () => {
    const form = { ...named, held: "set" as const, validation: { source: "photos", prefix: "val" }, numbers: { leastPictures: 10 } };
    expect(checkRequest(form, "resnet18").body).toEqual({
      prefix: "train/", validation: { source: "photos", prefix: "val/" }, min_images_per_class: 10, backbone: "resnet18",
    });
    expect(checkRequest({ ...form, held: "share" }, null).body).not.toHaveProperty("validation");
  });
});
