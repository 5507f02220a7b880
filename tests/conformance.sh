#!/usr/bin/env bash
# Real clients for Python (OpenAI's own SDK, LangChain, LlamaIndex, Instructor, Pydantic AI, OpenAI Agents, LiteLLM)
# against the ambassador, in front of a provider mock that refuses what the real providers refuse. Suite and mock stand
# beside this repository; where they do not, this does nothing.
#
# usage: tests/conformance.sh [arguments for pytest]      The binaries are built before: `make conformance`.
set -euo pipefail
cd "$(dirname "$0")/.."

suite=../shared/conformance
target=${CARGO_TARGET_DIR:-target}
bin=${OUTRIGGER_BIN_DIR:-$target/debug}
mkdir -p "$target"
work=$(realpath "$target")/conformance
packages=(
    openai httpx pytest pytest-timeout pytest-asyncio pytest-json-report pyyaml jsonschema aiohttp
    langchain-openai langchain-anthropic langchain-tests llama-index-llms-openai llama-index-llms-openai-like
    llama-index-llms-anthropic llama-index-embeddings-openai instructor 'pydantic-ai-slim[openai,anthropic]' openai-agents litellm numpy
)

if [ ! -d "$suite" ]; then
    echo "conformance: skipped, there is no $suite"
    exit 0
fi

# Once: a Python of its own. A venv that was left half made, or made for another list, is made anew.
if [ "$(cat "$work/venv/ready" 2>/dev/null)" != "${packages[*]}" ]; then
    echo "conformance: installing ${packages[*]} into $work/venv"
    rm -rf "$work/venv"
    python3 -m venv "$work/venv"
    # uv resolves this list in seconds, where pip takes minutes.
    "$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check uv
    "$work/venv/bin/uv" pip install --quiet --python "$work/venv/bin/python" "${packages[@]}"
    echo "${packages[*]}" > "$work/venv/ready"
fi
python=$work/venv/bin/python

# The suite writes beside itself, and may stand where nothing may be written.
run=$(mktemp -d)
pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$run"
}
trap finish EXIT
cp -r "$suite/clients" "$suite/mock" "$run/"
chmod -R u+w "$run"

read -r mock listen admin < <("$python" -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(s.getsockname()[1] for s in sockets))')

cat > "$run/ambassador.yaml" <<YAML
providers:
  openai:    { kind: openai, base_url: "http://127.0.0.1:$mock/openai/v1", keys: [ { env: MOCK_KEY } ] }
  openai2:   { kind: openai, base_url: "http://127.0.0.1:$mock/openai2/v1", keys: [ { env: MOCK_KEY_ONE }, { env: MOCK_KEY_TWO } ] }
  anthropic: { kind: anthropic, base_url: "http://127.0.0.1:$mock/anthropic", keys: [ { env: MOCK_KEY } ] }
  vllm:      { kind: openai-compatible, base_url: "http://127.0.0.1:$mock/vllm/v1" }
routes:
  - { model: gpt-4o, targets: [ { provider: openai, model: gpt-4o } ] }
  - { model: claude-sonnet-4-5, targets: [ { provider: anthropic, model: claude-sonnet-4-5 } ] }
  - { model: local-model, targets: [ { provider: vllm, model: local-model } ] }
  - { model: text-embedding-3-small, targets: [ { provider: openai, model: text-embedding-3-small } ] }
  - model: failover
    targets:
      - { provider: openai, model: gpt-4o, timeouts: { headers: 5s } }
      - { provider: anthropic, model: claude-sonnet-4-5 }
  - { model: pool, targets: [ { provider: openai2, model: gpt-4o } ] }
YAML

cat > "$run/target.yaml" <<YAML
name: ambassador
openai_base: http://127.0.0.1:$listen/v1
key: the-agents-own
mock: http://127.0.0.1:$mock
routes:
  openai: { model: gpt-4o }
  anthropic: { model: claude-sonnet-4-5 }
  vllm: { model: local-model }
  embed: { model: text-embedding-3-small, provider: openai }
  failover: { model: failover, provider: openai }
  keys: { model: pool, provider: openai2 }
YAML

"$python" "$run/mock/server.py" --port "$mock" > "$run/mock.log" 2>&1 &
pids+=($!)
env -i MOCK_KEY=k1 MOCK_KEY_ONE=key-one MOCK_KEY_TWO=key-two AMBASSADOR_CONFIG="$run/ambassador.yaml" \
    AMBASSADOR_LISTEN="127.0.0.1:$listen" AMBASSADOR_ADMIN_LISTEN="127.0.0.1:$admin" \
    "$bin/ambassador" > "$run/ambassador.log" 2>&1 &
pids+=($!)

"$python" - "http://127.0.0.1:$mock/_ctl/stats" "http://127.0.0.1:$admin/health/ready" <<'PYTHON' || { tail -n 20 "$run"/*.log; exit 1; }
import sys, time, httpx
deadline = time.time() + 30
for url in sys.argv[1:]:
    while True:
        try:
            if httpx.get(url).status_code == 200: break
        except httpx.HTTPError: pass
        if time.time() > deadline: sys.exit(f"conformance: {url} never answered")
        time.sleep(0.05)
PYTHON

cd "$run/clients/py"
# The suite knows providers that this gateway has not: their cases skip themselves, and need no line each.
if ! TARGET=$run/target.yaml "$python" -m pytest -q -rs --timeout 40 -p no:cacheprovider --tb=short test_openai_chat.py test_frameworks.py "$@" |
    { grep -v 'target has no route gemini' || true; }; then
    echo "conformance: failed; the ambassador's last words:"
    tail -n 20 "$run/ambassador.log"
    exit 1
fi
