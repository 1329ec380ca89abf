"""Which functions of a program carry the instructions of which set.

    check_wide.py <objdump> <program>

The linker keeps one copy of an inline function for the whole program. Were it compiled for a larger
set than the program's flags promise, a machine without that set would meet it wherever the function
is called. So what is compiled for AVX2 and AVX-512 must be in a function whose name, by its
namespace or a template argument, is that set's alone. Lists all other functions with such an
instruction, and fails if there are any, or if the program lacks a set's functions: then it is not
what should be checked. Ends with code 77 where there is no objdump.
"""

import re
import shutil
import subprocess
import sys

FUNCTION = re.compile(r"^[0-9a-f]+ <(.*)>:$")
INSTRUCTION = re.compile(r"^\s*[0-9a-f]+:\t(?:(?:rep|repz|repnz|lock|notrack|bnd|data16|cs|ds) )*"
                         r"(?:\{\w+\} )?([a-z][a-z0-9]*)(?:\s+(.*))?$")
NOT_VECTORS = {"verr", "verw", "vmcall", "vmlaunch", "vmresume", "vmxoff", "vmread", "vmwrite"}
AVX512 = re.compile(r"%zmm|%k[0-7]\b|%[xy]mm(?:1[6-9]|2\d|3[01])\b|\{1to\d+\}|\{z\}")
SETS = ["baseline", "avx2", "avx512"]


def needed(mnemonic, operands):
    """The least set that has the instruction."""
    if AVX512.search(operands):
        return 2
    # The compilers' avx2 brings popcnt along.
    if mnemonic == "popcnt" or mnemonic[0] == "v" and mnemonic not in NOT_VECTORS:
        return 1
    return 0


def allowed(function):
    """The set that a function is compiled for, by its demangled name."""
    return max(i for i, name in enumerate(SETS) if i == 0 or f"::{name}::" in function)


def main():
    objdump, path = sys.argv[1:]
    if shutil.which(objdump) is None:
        print("no objdump here")
        return 77
    listing = subprocess.run([objdump, "-d", "-C", "-w", "--no-show-raw-insn", path], check=True,
                             text=True, stdout=subprocess.PIPE).stdout
    functions = set()
    wrong = {}
    function = None
    for line in listing.splitlines():
        if begin := FUNCTION.match(line):
            function = begin[1]
            functions.add(function)
        elif found := INSTRUCTION.match(line):
            operands = (found[2] or "").split(" <")[0]  # without a jump's target
            if needed(found[1], operands) > allowed(function):
                wrong.setdefault(function, f"{found[1]} {operands}".strip())
    for name, instruction in sorted(wrong.items()):
        print(f"{path}: {name}: compiled for more than {SETS[allowed(name)]}: {instruction}")
    counts = [sum(allowed(name) == i for name in functions) for i in range(len(SETS))]
    print(", ".join(f"{count} functions of {name}" for name, count in zip(SETS, counts)))
    return 1 if wrong or 0 in counts else 0


sys.exit(main())
