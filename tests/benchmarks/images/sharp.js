// sharp as a contestant: `node sharp.js cascade|five`. Its own defaults, but for the quality asked and one thread.
import { readFileSync } from "node:fs"
import { createInterface } from "node:readline"
import sharp from "sharp"

sharp.concurrency(1)
sharp.cache(false)

const save = (image, order, number) =>
  image[order.format === "webp" ? "webp" : "jpeg"]({ quality: order.quality }).toFile(`${order.folder}/${number}.${order.format}`)

const resized = (image, [width, height]) => image.resize({ width, height, fit: "fill" })

// One decode: the largest from the file, each other from the pixels of the one before.
async function cascade(order) {
  let level = sharp(order.source)
  for (const [number, size] of order.sizes.entries()) {
    const { data, info } = await resized(level, size).raw().toBuffer({ resolveWithObject: true })
    await save(sharp(data, { raw: info }), order, number)
    level = sharp(data, { raw: info })
  }
}

// The usual way: a pipeline for every size, here from the file's bytes.
async function five(order) {
  const bytes = readFileSync(order.source)
  for (const [number, size] of order.sizes.entries()) await save(resized(sharp(bytes), size), order, number)
}

const make = { cascade, five }[process.argv[2]]
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line)
  const cpu = process.cpuUsage()
  const wall = performance.now()
  await make(order)
  const taken = process.cpuUsage(cpu)
  console.log(JSON.stringify({ cpu: (taken.user + taken.system) / 1e6, wall: (performance.now() - wall) / 1e3 }))
}
