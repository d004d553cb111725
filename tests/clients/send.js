// Sends a file as tus-js-client does in Node: node send.js ENDPOINT TOKEN FILE. Prints the original's id.
import { createReadStream, statSync } from "node:fs";
import { basename } from "node:path";
import { Upload } from "tus-js-client";

const [endpoint, token, path] = process.argv.slice(2);
let original = "";
const upload = new Upload(createReadStream(path), {
  endpoint,
  headers: { Authorization: `Bearer ${token}` },
  metadata: { filename: basename(path) },
  uploadSize: statSync(path).size,
  retryDelays: Array(150).fill(200),
  onAfterResponse: (_, response) => {
    original = response.getHeader("X-Original-Id") ?? original;
  },
  onError: (error) => {
    console.error(error.message);
    process.exit(1);
  },
  onSuccess: () => console.log(original),
});
upload.start();
