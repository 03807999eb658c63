import { defineConfig } from 'vite';

// Everything under names that change with the content; nothing inlined, because the page's policy allows no inline
// script and its data: images are for QR codes alone.
export default defineConfig({
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false }, chunkSizeWarningLimit: 300 },
});
