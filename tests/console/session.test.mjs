// Signing in with an access key, and out.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Project, expectError, visit } from "./support.mjs";

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? "" : " without script";

  test(`access key signs in, and leads to the page that was asked for${how}`, async () => {
    const project = await Project.create("own");
    await project.image("golden");
    const access = await project.call("POST", "/v1/access-keys", { name: "console" });
    await visit(null, { javaScriptEnabled }, async (page, problems) => {
      await page.goto("/console/images");
      const [id, secret] = [page.getByLabel("Access key ID"), page.getByLabel("Secret")];
      await id.fill(access.id);
      await secret.fill("wrong");
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("alert").waitFor();
      expectError(problems, 401);
      assert.equal(await id.inputValue(), access.id);
      assert.equal(await secret.inputValue(), "");
      await secret.fill(access.secret);
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { level: 1, name: "Private Images" }).waitFor();
      await page.getByRole("link", { name: "golden" }).waitFor();
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.getByRole("heading", { level: 1, name: "Sign in" }).waitFor();
      await page.goto("/console/images");
      await page.getByRole("heading", { level: 1, name: "Sign in" }).waitFor();
    });
  });
}
