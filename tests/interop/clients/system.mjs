// What both tests here use: the command-line client, and programs run to their end.
import { execFile } from 'node:child_process';
import path from 'node:path';
import assert from 'node:assert/strict';
import { root } from '../../support/processes.mjs';

// Runs a program in the root of the project with nothing of our environment but PATH.
export function run(program, args, env = {}, seconds = 60) {
  return new Promise((resolve) => {
    execFile(program, args, { cwd: root, timeout: seconds * 1000, env: { PATH: process.env.PATH, ...env } },
      (error, stdout, stderr) => resolve({ code: error ? (error.code ?? 1) : 0, stdout, stderr }));
  });
}

export async function output(program, args, env = {}, seconds = 60) {
  const { code, stdout, stderr } = await run(program, args, env, seconds);
  assert.equal(code, 0, `${program} ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout.trim();
}

export const cli = path.join(process.env.MEDIDESK_BIN, 'medidesk-cli');
