import { afterEach, describe, expect, it, vi } from "vitest";
import { chosenPictures, folders, uploadPictures } from "./upload";

function picture(name: string, folder = ""): File {
  const file = new File(["x"], name, { type: "image/jpeg" });
  Object.defineProperty(file, "webkitRelativePath", { value: folder === "" ? "" : `${folder}/${name}` });
  return file;
}

describe("what was chosen", () => {
  it("is pictures only, in their classes' folders", () => {
    const chosen = chosenPictures([picture("a.jpg", "train/rings"), picture("b.jpg", "train/stars"), picture("c.jpg"), new File(["x"], ".DS_Store")]);
    expect(chosen.map(({ path }) => path)).toEqual(["rings/a.jpg", "stars/b.jpg", "c.jpg"]);
    expect(folders(chosen)).toBe(2);
  });
});

describe("an upload", () => {
  afterEach(() => vi.unstubAllGlobals());

  it("goes on after a picture that is refused, and says which", async () => {
    const asked: string[] = [];
    vi.stubGlobal("fetch", (path: string) => {
      asked.push(path);
      const problem = { code: "payload_too_large", status: 413, title: "Too large", detail: "b c.jpg is too large" };
      return Promise.resolve(path.endsWith("b%20c.jpg") ? Response.json(problem, { status: 413 }) : new Response(null, { status: 201 }));
    });
    const heard: number[] = [];
    const chosen = chosenPictures([picture("a.jpg"), picture("b c.jpg"), picture("d.jpg")]);
    const { stored, refused } = await uploadPictures("mine", chosen, (done) => heard.push(done), new AbortController().signal);
    expect(asked).toEqual(["/v1/uploads/mine/a.jpg", "/v1/uploads/mine/b%20c.jpg", "/v1/uploads/mine/d.jpg"]);
    expect({ stored, refused }).toEqual({ stored: 2, refused: [{ path: "b c.jpg", reason: "B c.jpg is too large" }] });
    expect(heard.at(-1)).toBe(3);
  });

  it("stops when it may not", async () => {
    vi.stubGlobal("fetch", () => Promise.resolve(Response.json({ code: "forbidden", status: 403, title: "", detail: "no" }, { status: 403 })));
    await expect(uploadPictures("mine", chosenPictures([picture("a.jpg")]), () => undefined, new AbortController().signal)).rejects.toThrow("No");
  });
});
