"""A bench for quantum circuits: Qiskit's circuit library, a preset pass manager with named plugins, OpenQASM 2 and 3, simulation, QPY."""
import io

import numpy as np
from qiskit import QuantumCircuit, qasm2, qasm3, qpy, transpile
from qiskit.circuit import Parameter
from qiskit.circuit.library import efficient_su2, qaoa_ansatz
from qiskit.primitives import StatevectorEstimator, StatevectorSampler
from qiskit.quantum_info import SparsePauliOp, Statevector, random_clifford
from qiskit.transpiler import CouplingMap, generate_preset_pass_manager
from qiskit.transpiler.preset_passmanagers.plugin import list_stage_plugins

QASM = """OPENQASM 2.0;
include "qelib1.inc";
qreg q[3]; creg c[3];
h q[0]; cx q[0],q[1]; ccx q[0],q[1],q[2];
measure q -> c;
"""


def ghz(n):
    qc = QuantumCircuit(n, name="ghz")
    qc.h(0)
    for i in range(n - 1):
        qc.cx(i, i + 1)
    return qc


def main():
    line = CouplingMap.from_line(5)
    sizes = {}
    for level, layout, routing in ((1, "default", "sabre"), (2, "dense", "basic"), (3, "sabre", "lookahead")):
        pm = generate_preset_pass_manager(
            level, coupling_map=line, basis_gates=["rz", "sx", "x", "cx"], layout_method=layout, routing_method=routing, seed_transpiler=7,
        )
        sizes[level] = pm.run(ghz(5)).count_ops().get("cx")
    qc = qasm2.loads(QASM)
    text = qasm3.dumps(qc)
    theta = Parameter("t")
    p = QuantumCircuit(1)
    p.ry(theta, 0)
    state = Statevector(p.assign_parameters({theta: np.pi / 2}))
    counts = StatevectorSampler(seed=3).run([qc], shots=100).result()[0].data.c.get_counts()
    op = SparsePauliOp.from_list([("ZZ", 1.0), ("XI", 0.5)])
    ansatz = efficient_su2(2, reps=1)
    value = StatevectorEstimator(seed=1).run([(ansatz, op, np.zeros(ansatz.num_parameters))]).result()[0].data.evs
    buf = io.BytesIO()
    qpy.dump([ghz(3), qaoa_ansatz(op, reps=1)], buf)
    buf.seek(0)
    again = qpy.load(buf)
    cliff = transpile(random_clifford(3, seed=2).to_circuit(), basis_gates=["h", "s", "cx"], optimization_level=1)
    plugins = list_stage_plugins("routing")
    drawing = str(ghz(2).draw("text"))
    assert sum(counts.values()) == 100 and set(counts) <= {"000", "111"}
    print("OK", sizes, "include" in text, np.round(state.probabilities(), 2).tolist(), float(np.round(value, 3)),
          [c.num_qubits for c in again], cliff.num_qubits, "sabre" in plugins, "H" in drawing)


if __name__ == "__main__":
    main()
