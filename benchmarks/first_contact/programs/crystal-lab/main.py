"""Crystals: structures by ASE and pymatgen, symmetry by Moyo in Rust and by spglib in C, space groups compared, standard cells written."""
import io
import warnings

import moyopy
import numpy as np
import spglib
from ase.build import bulk
from ase.io import read, write
from moyopy.interface import MoyoAdapter
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifParser, CifWriter
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer


def structures():
    yield "NaCl", Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.69), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    yield "Si", Structure.from_spacegroup("Fd-3m", Lattice.cubic(5.43), ["Si"], [[0, 0, 0]])
    yield "TiO2", Structure.from_spacegroup("P4_2/mnm", Lattice.tetragonal(4.59, 2.96), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]])


def analyse(s):
    cell = MoyoAdapter.from_structure(s)
    data = moyopy.MoyoDataset(cell, symprec=1e-3)
    other = spglib.get_spacegroup((s.lattice.matrix, s.frac_coords, [x.specie.Z for x in s]), symprec=1e-3)
    pmg = SpacegroupAnalyzer(s, 1e-3)
    assert data.number == pmg.get_space_group_number() == int(other.split("(")[1].rstrip(")")), (data.number, other)
    prim = data.prim_std_cell
    return data.number, len(data.operations), "".join(data.wyckoffs[:1] + data.wyckoffs[-1:]), len(prim.positions)


def main():
    warnings.simplefilter("ignore")
    rows = {name: analyse(s) for name, s in structures()}
    cu = bulk("Cu", "fcc", a=3.6, cubic=True)
    moyo_cu = moyopy.MoyoDataset(MoyoAdapter.from_atoms(cu))
    buf = io.StringIO()
    write(buf, cu, format="extxyz")
    back = read(io.StringIO(buf.getvalue()), format="extxyz")
    nacl = dict(structures())["NaCl"]
    cif = str(CifWriter(nacl, symprec=1e-3))
    again = CifParser(io.StringIO(cif)).parse_structures(primitive=True)[0]
    hall = moyopy.HallSymbolEntry(hall_number=525)
    kinds = moyopy.SpaceGroupType(225)
    magnetic = moyopy.MagneticSpaceGroupType(1)
    ops = moyopy.operations_from_number(227)
    weight = float(np.round(nacl.composition.weight / 4, 2))
    print("OK", rows, moyo_cu.number, back.get_chemical_formula(), len(again), hall.number, kinds.arithmetic_symbol, magnetic.uni_number, len(ops), weight)


if __name__ == "__main__":
    main()
