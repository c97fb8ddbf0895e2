'use strict';

const js = require('@eslint/js');
const globals = require('globals');

module.exports = [
  // Written by the build, or not ours.
  { ignores: ['native.js', 'native.d.ts', 'target/', 'npm/', '**/node_modules/', '__test__/types/', '*.d.ts'] },
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2023, sourceType: 'commonjs', globals: globals.node },
    rules: {
      'no-unused-vars': ['error', { args: 'after-used', caughtErrors: 'none' }],
      'prefer-const': 'error',
      'no-var': 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
    },
  },
  { files: ['**/*.mjs'], languageOptions: { sourceType: 'module' } },
  { files: ['__test__/**/*.js'], languageOptions: { globals: globals.mocha } },
  { files: ['__test__/smoke.js'], languageOptions: { globals: { Bun: 'readonly', Deno: 'readonly' } } },
  {
    files: ['demo/**/*.js', 'browser/**/*.js'],
    languageOptions: { sourceType: 'module', globals: globals.browser },
  },
];
