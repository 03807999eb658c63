// Holds a manifest to the schemas of Kubernetes, of cert-manager and of the Prometheus operator. Types and wanted fields
// are judged by the packages' validators; those let unknown fields through, so a second look takes the field names
// from the packages' type declarations.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const modules = fileURLToPath(new URL('node_modules', import.meta.url));
const packages = ['kubernetes-models', '@kubernetes-models/cert-manager', '@kubernetes-models/prometheus-operator'];

function folderOf(apiVersion, kind) {
  for (const name of packages) {
    const folder = path.join(modules, name, apiVersion);
    if (existsSync(path.join(folder, `${kind}.d.ts`))) return folder;
  }
  throw new Error(`no schema of ${apiVersion} ${kind}`);
}

const declarations = new Map();
// {fields: {name: type}, imports: {type: file}} of the interface in a file.
function declaration(file) {
  if (declarations.has(file)) return declarations.get(file);
  const text = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  const imports = {};
  for (const [, names, from] of text.matchAll(/import \{([^}]*)\} from "([^"]+)"/g)) {
    const target = from.startsWith('.') ? path.join(path.dirname(file), from.replace(/\.js$/, '.d.ts')) : path.join(modules, `${from}.d.ts`);
    for (const name of names.split(',')) imports[name.trim()] = target;
  }
  const body = text.match(/export interface I\w+(?: extends TypeMeta)? \{\n([\s\S]*?)\n\}/);
  const fields = body ? {} : null;
  if (body) for (const [, name, type] of body[1].matchAll(/^    "([^"]+)"\??: ([\s\S]*?);$/gm)) fields[name] = type;
  const found = { fields, imports };
  declarations.set(file, found);
  return found;
}

function unknownFields(value, file, at, out) {
  const { fields, imports } = declaration(file);
  if (!fields) return;  // a plain type: a quantity, a port
  for (const [name, child] of Object.entries(value)) {
    if (!(name in fields)) {
      out.push(`${at}.${name}`);
      continue;
    }
    const type = fields[name].match(/\bI[A-Z]\w+/)?.[0];
    const next = type && imports[type];
    if (!next || !existsSync(next)) continue;
    const map = /^\{\s*\[key: string\]/.test(fields[name]);
    const children = Array.isArray(child) ? child.map((one, i) => [`${name}[${i}]`, one])
      : map ? Object.entries(child).map(([key, one]) => [`${name}.${key}`, one]) : [[name, child]];
    for (const [label, one] of children) {
      if (one !== null && typeof one === 'object' && !Array.isArray(one)) unknownFields(one, next, `${at}.${label}`, out);
    }
  }
}

// What is wrong with it; [] when nothing is.
export async function faults(manifest) {
  const folder = folderOf(manifest.apiVersion, manifest.kind);
  const { [manifest.kind]: Model } = await import(path.join(folder, `${manifest.kind}.js`));
  const out = [];
  try {
    new Model(manifest).validate();
  } catch (error) {
    out.push(error.message);
  }
  unknownFields(manifest, path.join(folder, `${manifest.kind}.d.ts`), manifest.kind, out);
  return out;
}
