/* Module names as rustc leaves them: parts of one run of text, known only by address and length.
 * The tests compile this for several platforms; nobody ever loads the result. */

typedef unsigned long long size;

void *PyUnicode_FromStringAndSize(const char *text, size length);
void *PyImport_Import(void *name);
void *PyImport_ImportModule(const char *name);

static const char TEXT[] = {"decimal" "numpy.lib" "NumpyVersion" "zoneinfo" "wave" "fractions" "Fraction"};

struct name {
    const char *text;
    size length;
};

/* In relocated data. */
const struct name NAMES[] = {{TEXT + 28, 8}, {TEXT + 36, 4}};

__attribute__((noinline)) static void *import(int *out, const char *text, size length) {
    void *module = PyImport_Import(PyUnicode_FromStringAndSize(text, length));
    *out = module != 0;
    return module;
}

__attribute__((noinline)) static void *import_named(int *out, const struct name *names) {
    return import(out, names[0].text, names[0].length);
}

void *imports_directly(int *out) {
    return import(out, TEXT, 7);
}

void *imports_another(int *out) {
    return import(out, TEXT + 7, 9);
}

void *imports_from_the_stack(int *out) {
    struct name name;
    name.text = TEXT + 40;
    __asm__ volatile("" ::: "memory");
    name.length = 9;
    return import_named(out, &name);
}

void *imports_a_c_string(void) {
    return PyImport_ImportModule("sqlite3");
}

#ifdef _WIN32
int __stdcall DllMainCRTStartup(void *module, unsigned long reason, void *reserved) {
    return 1;
}
#endif
