"""A host for plugins in WebAssembly: modules from text, host functions, memory, fuel, WASI with captured output, a component, an Extism plugin."""
import json
import tempfile
from pathlib import Path

import extism
from wasmtime import Config, Engine, ExitTrap, Func, FuncType, Linker, Module, Store, Trap, ValType, WasiConfig, WasmtimeError, wat2wasm

FIB = """(module (func $fib (export "fib") (param i32) (result i32)
  (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0))
  (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2))))))))"""
LOG = """(module (import "host" "log" (func $log (param i32 i32))) (memory (export "memory") 1)
  (data (i32.const 8) "hello from wasm") (func (export "run") (call $log (i32.const 8) (i32.const 15))))"""
LOOP = '(module (func (export "spin") (loop br 0)))'
WASI = """(module (import "wasi_snapshot_preview1" "fd_write" (func $w (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $x (param i32)))
  (memory (export "memory") 1) (data (i32.const 16) "wasi says hi\\n")
  (func (export "_start") (i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const 13))
  (drop (call $w (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))) (call $x (i32.const 3))))"""


def instance(store, text):
    module = Module(store.engine, text)
    return Linker(store.engine).instantiate(store, module)


def hello(store):
    said = []
    linker = Linker(store.engine)
    holder = {}

    def log(ptr, n):
        said.append(bytes(holder["memory"].read(store, ptr, ptr + n)).decode())
    linker.define(store, "host", "log", Func(store, FuncType([ValType.i32(), ValType.i32()], []), log))
    inst = linker.instantiate(store, Module(store.engine, LOG))
    holder["memory"] = inst.exports(store)["memory"]
    inst.exports(store)["run"](store)
    return said[0]


def wasi(folder):
    engine = Engine()
    linker = Linker(engine)
    linker.define_wasi()
    store = Store(engine)
    conf = WasiConfig()
    conf.argv = ("prog",)
    conf.stdout_file = str(folder / "out.txt")
    store.set_wasi(conf)
    inst = linker.instantiate(store, Module(engine, WASI))
    try:
        inst.exports(store)["_start"](store)
        code = 0
    except ExitTrap as e:
        code = e.code
    del store, inst
    return code, (folder / "out.txt").read_text().strip()


def main():
    store = Store()
    n = instance(store, FIB).exports(store)["fib"](store, 15)
    said = hello(store)
    cfg = Config()
    cfg.consume_fuel = True
    limited = Store(Engine(cfg))
    limited.set_fuel(10_000)
    try:
        instance(limited, LOOP).exports(limited)["spin"](limited)
        stopped = False
    except (Trap, WasmtimeError) as e:
        stopped = "fuel" in str(e)
    binary = wat2wasm(FIB)
    engine = Engine()
    same = len(Module.deserialize(engine, Module(engine, binary).serialize()).exports)
    with tempfile.TemporaryDirectory() as t:
        code, text = wasi(Path(t))
    plugin = extism.Plugin({"wasm": [{"data": bytes(wat2wasm('(module (func (export "ok") (result i32) i32.const 0))'))}]}, wasi=False)
    ran = plugin.function_exists("ok"), bytes(plugin.call("ok", b""))
    print("OK", n, said, stopped, same, code, text, json.dumps(extism.extism_version()), ran)


if __name__ == "__main__":
    main()
