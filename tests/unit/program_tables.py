"""C sources of programs with module tables like CPython's and Nuitka's."""

from __future__ import annotations

INITTAB = """
static void *init(void) { return 0; }
struct inittab { const char *name; void *(*initfunc)(void); };
struct inittab other[] = {{"builtins", init}, {"sys", init}, {0, 0}};
struct inittab table[] = {
    {"_thread", init}, {"zlib", init}, {"marshal", init}, {"_imp", init}, {"builtins", 0},
    {"sys", 0}, {"_warnings", init}, {"not a name", init}, {0, 0}, {"behind", init},
};
int main(void) { return table[0].initfunc != 0 && other[0].name != 0; }
"""


# One record a module, first its name; an array of pointers to them, as in Nuitka's loader. A
# record of a module that was left out on purpose points to text alone.
RECORDS = """
static int code(void) { return 0; }
struct record { const char *name; void *first; void *second; int flags; };
static struct record main_record = {"__main__", code, 0, 1};
static struct record package = {"pkg", code, 0, 2};
static struct record inner = {"pkg.inner-preLoad", 0, code, 0};
static struct record bytecode = {"json", 0, 0, 4};
static struct record excluded = {"tkinter", "why it was left out", 0, 8};
static char state[8];
static struct record with_state = {"pkg.state", 0, state, 0};
struct record *table[] = {&main_record, &package, &inner, &excluded, &with_state, 0, &bytecode};
int main(void) { return table[0]->flags; }
"""


# Nuitka 2: the records themselves in an array; of bytecode only its place is known.
INLINE = """
static int code(void) { return 0; }
struct record { const char *name; int (*code)(void); int index, size, flags; };
struct record before[] = {{"no_record", (int (*)(void)) before, 0, 0, 0}};
struct record table[] = {
    {"__main__", code, 0, 0, 1}, {"pkg", 0, 7, 300, 2}, {"pkg.inner-preLoad", code, 0, 0, 0},
    {"native._core", 0, 0, 0, 4}, {0, 0, 0, 0, 0}, {"behind", code, 0, 0, 0},
};
int main(void) { return table[0].flags + before[0].flags; }
"""
