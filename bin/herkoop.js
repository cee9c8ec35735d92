#!/usr/bin/env -S node --max-semi-space-size=32
import { register } from "tsx/esm/api";

register();
await import("../src/cli.ts");
