#!/usr/bin/env bash
# Runs lcm-lint as a step of the action: findings as annotations, in the summary, and in a SARIF file if asked for.
# Its exit code is that of lcm-lint.
set -euo pipefail
directory=${INPUT_DIRECTORY:-.}
base=${INPUT_BASE:-}
if [ -z "$base" ] && [ -n "${GITHUB_BASE_REF:-}" ] && git -C "$directory" rev-parse --quiet --verify "origin/$GITHUB_BASE_REF^{commit}" >/dev/null; then
	base=origin/$GITHUB_BASE_REF
fi
lint() { lcm-lint ${base:+--base "$base"} "$@" "$directory"; }

code=0
lint --format github || code=$?
if [ "$code" -gt 1 ]; then
	exit "$code"
fi
[ -z "${GITHUB_OUTPUT:-}" ] || echo "errors=$([ "$code" = 0 ] && echo false || echo true)" >>"$GITHUB_OUTPUT"
if [ -n "${INPUT_SARIF:-}" ]; then
	lint --format sarif >"$INPUT_SARIF" 2>/dev/null || [ $? = 1 ]
fi
if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
	{
		echo "### lcm-lint"
		echo '```'
		lint --color never 2>&1 | tail -n 100 || true
		echo '```'
	} >>"$GITHUB_STEP_SUMMARY"
fi
exit "$code"
