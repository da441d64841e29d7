"""One module for each finding; `CHECKS` lists them in the order in which they run."""

from __future__ import annotations

from rustext.verify.checks.macos.app_signature import check_seal
from rustext.verify.checks.macos.code_signature import check_signatures
from rustext.verify.checks.macos.install_names import check_install_names
from rustext.verify.checks.native.architecture import check_architecture
from rustext.verify.checks.native.duplicate_libraries import check_duplicates
from rustext.verify.checks.native.libc_mix import check_libc
from rustext.verify.checks.native.libraries import check_libraries
from rustext.verify.checks.native.program_start import check_start
from rustext.verify.checks.native.refused_files import check_refusals
from rustext.verify.checks.native.run_paths import check_rpaths
from rustext.verify.checks.native.static_interpreter import check_static_interpreter
from rustext.verify.checks.native.symbol_versions import check_versions
from rustext.verify.checks.native.system_floors import check_floors
from rustext.verify.checks.native.undefined_symbols import check_symbols
from rustext.verify.checks.native.unreadable_files import check_links, check_unreadable
from rustext.verify.checks.python.archive_integrity import check_archives
from rustext.verify.checks.python.data_files import check_data
from rustext.verify.checks.python.extension_suffix import check_suffixes
from rustext.verify.checks.python.hidden_modules import check_hidden
from rustext.verify.checks.python.imports import check_imports
from rustext.verify.checks.python.metadata_folders import check_metadata
from rustext.verify.checks.python.opened_libraries import check_openings
from rustext.verify.checks.python.planned_contents import check_plan
from rustext.verify.checks.python.program_imports import check_program_imports
from rustext.verify.checks.python.python_abi import check_python_abi
from rustext.verify.checks.python.recorded_use import check_record
from rustext.verify.checks.python.source_files import check_sources
from rustext.verify.checks.python.stored_code import check_entries
from rustext.verify.checks.running.run import check_run
from rustext.verify.checks.running.selftest import check_selftest
from rustext.verify.subject import Check

CHECKS: tuple[Check, ...] = (
    check_libraries,
    check_start,
    check_versions,
    check_refusals,
    check_symbols,
    check_program_imports,
    check_imports,
    check_hidden,
    check_openings,
    check_suffixes,
    check_architecture,
    check_libc,
    check_static_interpreter,
    check_python_abi,
    check_floors,
    check_rpaths,
    check_duplicates,
    check_unreadable,
    check_archives,
    check_data,
    check_entries,
    check_sources,
    check_metadata,
    check_links,
    check_install_names,
    check_signatures,
    check_seal,
    check_plan,
    check_record,
    check_selftest,
    check_run,
)
