// node embed.mjs FOLDER OUT.cc: the files of FOLDER as string literals, each also compressed.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';

const [folder, out] = process.argv.slice(2);
const types = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml', '.json': 'application/json', '.webmanifest': 'application/manifest+json',
};

// Octal escapes are at most three digits long, so no digit that follows can be taken for part of one.
function literal(bytes) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += 2000) {
    let line = '';
    for (const byte of bytes.subarray(at, at + 2000)) {
      if (byte === 0x22 || byte === 0x5c) line += '\\' + String.fromCharCode(byte);
      else if (byte >= 0x20 && byte < 0x7f && byte !== 0x3f) line += String.fromCharCode(byte);
      else line += '\\' + byte.toString(8).padStart(3, '0');
    }
    lines.push(`"${line}"`);
  }
  return `std::string_view(\n${lines.join('\n') || '""'}, ${bytes.length})`;
}

const files = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
  .sort();
const rows = files.map((file) => {
  const bytes = readFileSync(file);
  const type = types[path.extname(file)];
  if (!type) throw new Error(`no content type is known for ${path.extname(file)}`);
  const gzip = gzipSync(bytes, { level: 9 });
  const name = '/' + path.relative(folder, file).split(path.sep).join('/');
  return `    {"${name}", "${type}",\n${literal(bytes)},\n${literal(gzip.length < bytes.length ? gzip : Buffer.alloc(0))}},`;
});
writeFileSync(out, `// Made by tools/web/embed.mjs.
#include "admin/api/desk/pages.h"

namespace medidesk::admin {
namespace {

constexpr WebFile kFiles[] = {
${rows.join('\n')}
};

}  // namespace

std::span<const WebFile> WebFiles() { return kFiles; }

}  // namespace medidesk::admin
`);
