// The files of a drop, a paste or a picker, each with its place in the folder it came from.
const OF_THE_SYSTEM = /^(\..*|Thumbs\.db|desktop\.ini)$/i; // lie in every folder, and nobody means them

export async function dropped(transfer) {
  // Everything must be asked for before the first await: the browser takes the list away then.
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  const found = await Promise.all(entries.filter(Boolean).map((entry) => (entry instanceof File ? [entry] : walk(entry))));
  return found.flat();
}

async function walk(entry, inside = false) {
  if (inside && OF_THE_SYSTEM.test(entry.name)) return [];
  if (entry.isFile) return [placed(await new Promise((resolve, reject) => entry.file(resolve, reject)), entry.fullPath)];
  const found = [];
  for (const child of await children(entry.createReader())) found.push(...(await walk(child, true)));
  return found;
}

async function children(reader) {
  const all = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // a hundred at a time
    if (!some.length) return all;
    all.push(...some);
  }
}

export function picked(input) {
  const files = [...input.files].filter((file) => !file.webkitRelativePath || !OF_THE_SYSTEM.test(file.name));
  input.value = "";
  return files.map((file) => placed(file, file.webkitRelativePath));
}

function placed(file, path) {
  if (path) file.place = path.replace(/^\//, "");
  return file;
}
