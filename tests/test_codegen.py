"""Formulas become nodes, and nodes text: what is refused, and that names mean nothing.

The polynomials are those that src/formulas/remez.py writes.
"""

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest

import s3s4
from s3s4._array_primitives import Primitives

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src"
sys.path.insert(0, str(SRC))

import nodes
from codegen import derive
from codegen.derive import derivative
from codegen.family import MAX_PARAMETERS, Family, family
from codegen.ir import ARITHMETIC, CHEAP, COMPARISONS, COSTLY, FORMS, PRODUCTS, Node, number
from codegen.ir import read as variable
from codegen.phases import phases
from codegen.read import Formulas
from codegen.source import Refused
from codegen.targets import arrays, c_blocks, c_rows, c_tables, cython, gpu, polynomials

FORMULAS = SRC / "formulas"
HEADERS = (
    "arithmetic.h",
    "blocks.h",
    "primitives.h",
    "primitives_type.h",
)
ENTRY = '''"""Formulas."""


def bump(x, a=1.0):
    """A bump."""
    E = exp_neg(abs(x))
    return a * E / (1 + E)


def bump_dx(x, a=1.0):
    """By x."""
    E = exp_neg(abs(x))
    return (a if x < 0 else -a) * E / ((1 + E) * (1 + E))


def bump_da(x, a=1.0):
    """By a."""
    E = exp_neg(abs(x))
    return E / (1 + E)
'''
ROWS = '''

def share(x):
    """The share of a total."""
    T = total(x)
    return x / T


def share_vjp(g, x):
    """g times its Jacobian."""
    T, D = total(x), total(g * x)
    return (g - D / T) / T
'''
LAST = "    return a * E / (1 + E)"


def read(text: str) -> Family:
    return Family(Formulas({"activations.py": text}))


def refused(line, reason):
    """Expect a refusal that names its line, and why."""
    return pytest.raises(Refused, match=rf"^activations\.py:{line}: .*{re.escape(reason)}")


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        (LAST, "    return [E]", 7, "List"),
        (LAST, "    return sin(E)", 7, "sin"),
        (LAST, "    return E ** 2", 7, "Pow"),
        (LAST, "    return 0 < x < 1", 7, "one comparison"),
        (LAST, "    return 1j * E", 7, "1j"),
        (LAST, "    return True * E", 7, "True"),
        (LAST, "    return missing * E", 7, "missing"),
        (LAST, "    E = 1 + x\n    return E", 7, "assigned twice"),
        (LAST, "    return a * (x < E)", 7, "truth value"),
        (LAST, "    return x < E", 7, "truth value"),
        (LAST, "    return E if x else a", 7, "is a number"),
        (LAST, "    return copysign(E)", 7, "copysign takes 2 values, not 1"),
        (LAST, "    return abs(x=E)", 7, "no keywords"),
        (LAST, "    return E, a", 4, "one value"),
        (LAST, "    return bump(x, a)", 7, "calls itself"),
        (LAST, "    return bump_da(x)", 7, "bump_da takes 2 values, not 1"),
        (LAST, "    a, b = E\n    return a", 7, "2 names for 1 values"),
        (LAST, "    a.b = E\n    return a", 7, "Attribute"),
        (LAST, "    E * a", 7, "Expr"),
        ("    E = exp_neg(abs(x))\n", "    while x:\n        pass\n", 6, "While"),
        ("def bump(x, a=1.0)", "def bump(x, a)", 4, "defaults"),
        ("def bump(x, a=1.0)", "def bump(x, *a)", 4, "plain arguments"),
        ("def bump(x, a=1.0)", "def bump(x, a='1')", 4, "a default is a number"),
        ("def bump(x, a=1.0)", "@cache\ndef bump(x, a=1.0)", 5, "decorator"),
        ("def bump_dx(x, a=1.0)", "def bump_dx(x, a=2.0)", 10, "must take what bump takes"),
        ("def bump_da", "def other_da", 4, "bump_da"),
        ("def bump_da", "def bump_dual", 4, "bump_da"),
        ("def bump_da", "def bump_dx", 16, "defined twice"),
        ('    """A bump."""\n', "", 4, "docstring"),
        ('"""Formulas."""', "import math", 1, "Import"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_with_its_line(old, new, line, reason):
    assert old in ENTRY
    with refused(line, reason):
        read(ENTRY.replace(old, new, 1))


@pytest.mark.parametrize("name", ["g", "n", "in_", "double", "i"])
def test_a_parameter_whose_name_a_target_cannot_have_is_refused(name):
    text = re.sub(r"\ba\b", name, ENTRY).replace("_da", f"_d{name}")
    if name == "in_":
        assert read(text)
    else:
        with refused(4, f"{name} is a name of the generated"):
            read(text)


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("def share_vjp", "def other_vjp", 22, "share_vjp is missing"),
        ("def share(x)", "def share(x, b)", 22, "share must take x"),
        ("x / T", "x", 22, "neither a largest element nor a total"),
        ("total(g * x)", "total(total(x))", 30, "one number of a row"),
        ("x / T", "x / (total(x / total(x / total(x / T))))", 22, "too many phases"),
        ("x / T", "x / (T + largest(x) + total(-x))", 22, "more than 2 reductions"),
        ("x / T", "x * exp_neg(x) / total(exp_neg(x))", 22, "needs x when its place is taken"),
    ],
)
def test_row_functions_are_refused_with_their_line(old, new, line, reason):
    assert old in ROWS
    with refused(line, reason):
        c_rows.functions(read(ENTRY + ROWS.replace(old, new, 1)))


def test_an_exponential_that_two_phases_need_is_kept_in_the_output():
    text = ROWS.replace("T = total(x)", "E = exp_neg(x)\n    T = total(E)").replace(
        "x / T", "E / T"
    )
    one = read(ENTRY + text)
    share, product = (phases(one, function) for function in one.row_functions)
    assert share.stored is not None
    assert (share.stored.op, share.stored_by) == ("exp_neg", 0)
    assert [len(phase.reductions) for phase in share.phases] == [1]
    assert product.stored is None
    assert [len(phase.reductions) for phase in product.phases] == [2]


def test_what_starts_like_a_derivative_and_is_none_is_an_activation():
    text = ENTRY + ENTRY.partition("\n\n\n")[2].replace("bump", "bump_dual").join(["\n\n", ""])
    assert [activation.name for activation in read(text).activations] == ["bump", "bump_dual"]


@pytest.mark.parametrize("name", ["bump_value_dx", "bump_backward", "bump_array"])
def test_a_name_that_a_target_makes_is_refused(name):
    text = ENTRY + "\n\n" + ENTRY.partition("\n\n\n")[2].replace("bump", name)
    with pytest.raises(Refused, match=f"{name} is made of bump"):
        read(text)


class Renamed(ast.NodeTransformer):
    """Every local of every function by another name; arguments keep theirs."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        arguments = {argument.arg for argument in node.args.args}
        for child in ast.walk(node):
            if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
                assert child.id not in arguments
        local = {
            child.id
            for child in ast.walk(node)
            if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store)
        }
        for child in ast.walk(node):
            if isinstance(child, ast.Name) and child.id in local:
                child.id = f"q{sorted(local).index(child.id)}_of_{node.name}"
        return node


def without_names(text: str) -> str:
    """The text with its variables numbered in each function, in the order of their declarations."""
    parts = []
    for function in text.split("\n\n"):
        numbers: dict[str, str] = {}
        for line in function.splitlines():
            declared = re.match(r"( *const (?:long )?\w+(?:\(s3s4_v\))? )(\w+)( = .*)", line)
            before, name, rest = declared.groups() if declared else (line, "", "")
            words = [re.sub(r"\w+", lambda m: numbers.get(m[0], m[0]), w) for w in (before, rest)]  # noqa: B023
            if name:
                numbers[name] = f"v{len(parts)}"
            parts.append(numbers.get(name, "").join(words))
    return "\n".join(parts)


def test_names_mean_nothing():
    texts = {path.name: path.read_text() for path in FORMULAS.glob("[ar]*s.py")}
    assert {"activations.py", "rows.py"} == texts.keys()
    # The digits of numbers are not in the tree, and must not be lost when it is written again.
    renamed = {}
    for name, text in texts.items():
        tree = ast.parse(text)
        lines = text.splitlines()
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and type(node.value) is float:
                digits = lines[node.lineno - 1][node.col_offset : node.end_col_offset]
                node.value = f"<{digits}>"
        renamed[name] = re.sub(r"'<(.*?)>'", r"\1", ast.unparse(Renamed().visit(tree)))
    found, other = (c_blocks.functions(Family(Formulas(which))) for which in (texts, renamed))
    assert found != other
    assert without_names(found) == without_names(other)


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_an_entry_in_formulas_is_all_a_function_needs(tmp_path):
    header = c_blocks.header(read(ENTRY)).replace('#include "rows.h"', "")
    (tmp_path / "s3s4.h").write_text(header)
    (tmp_path / "functions.h").write_text(c_blocks.functions(read(ENTRY)))
    for header in HEADERS:
        shutil.copy(SRC / "kernels" / header, tmp_path)
    (tmp_path / "polynomials.h").write_text(polynomials.header(read(ENTRY)))
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "s3s4.h"\n'
        "int main(void) {\n"
        "    double both[2];\n"
        "    s3s4_bump_value_dx_f64(-0.5, 3.0, both, both + 1);\n"
        '    printf("%.17g %.17g %.17g", both[0], both[1], s3s4_bump_da_f64(-0.5, 3.0));\n'
        "}\n"
    )
    program = tmp_path / "program"
    command = ["cc", "-std=c99", "-o", program, tmp_path / "main.c", "-lm"]
    subprocess.run(command, check=True, capture_output=True)
    printed = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    half = np.exp(-0.5)
    expected = [3 * half / (1 + half), 3 * half / (1 + half) ** 2, half / (1 + half)]
    assert np.allclose([float(v) for v in printed.split()], expected, rtol=1e-15, atol=0)


THREE = '''

def plane(x, a=1.0, b=2.0, c=3.0):
    """A plane."""
    return a * x + (b - c)


def plane_dx(x, a=1.0, b=2.0, c=3.0):
    """By x."""
    return a


def plane_da(x, a=1.0, b=2.0, c=3.0):
    """By a."""
    return x


def plane_db(x, a=1.0, b=2.0, c=3.0):
    """By b."""
    return 1


def plane_dc(x, a=1.0, b=2.0, c=3.0):
    """By c."""
    return -1
'''


def test_more_parameters_than_the_kernels_have_room_for_are_refused():
    with pytest.raises(Refused, match=r"^activations\.py:22: plane has more than 3 parameters"):
        read(ENTRY + THREE.replace("c=3.0", "c=3.0, d=4.0"))
    room = (SRC / "kernels" / "kernels.pyx").read_text()
    assert f"MAX_INPUTS = {2 + MAX_PARAMETERS} " in room
    assert f"MAX_OUTPUTS = {1 + MAX_PARAMETERS} " in room
    assert f"MAX_OPERANDS = {3 + 2 * MAX_PARAMETERS}\n" in room


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_three_parameters_work(tmp_path):
    """A kernel module of the few functions here, and all that an array can be."""
    shutil.copytree(SRC, tmp_path / "src")
    shutil.copytree(ROOT / "s3s4", tmp_path / "s3s4")
    (tmp_path / "src" / "formulas" / "activations.py").write_text(ENTRY + THREE)
    module = build_kernels(tmp_path)
    plane = module.ufuncs["plane"]
    x = np.linspace(-9, 9, 20000).reshape(100, 200)
    a, b, c = np.linspace(1, 2, 200), np.linspace(3, 5, 100)[:, None], 0.5
    for dtype in (np.float32, np.float64, np.longdouble):
        one = [np.asarray(v, dtype) for v in (x, a, b, c)]
        expected = one[1] * one[0] + (one[2] - one[3])
        assert np.allclose(plane(*one), expected, rtol=1e-5)
        assert np.allclose(plane(one[0][::2], *one[1:2], one[2][::2], c), expected[::2], rtol=1e-5)
    operands = np.broadcast_arrays(np.float64(2), x, a, b, c)
    outputs = tuple(np.empty_like(x) for _ in range(4))
    inputs = tuple(np.array(v) for v in operands)
    module.evaluate("plane_backward", x.shape, inputs, outputs, 3)
    for found, expected in zip(outputs, (2 * a, 2 * x, 2.0, -2.0), strict=True):
        assert (found == expected).all()


def build_kernels(folder):
    """The kernels of the formulas in a folder's src, with a plain build: imported."""
    source, build = folder / "src", folder / "build"
    build.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(source), "PYTHONSAFEPATH": ""}
    generate = [sys.executable, "-m", "codegen", build, build / "depfile"]
    subprocess.run(generate, env=environment, check=True)
    kernels = source / "kernels" / "kernels.pyx"
    cython = [
        "cython",
        "-3",
        "--module-name",
        "kernels_of_test",
        kernels,
        "-o",
        build / "kernels.c",
    ]
    subprocess.run([sys.executable, "-m", *cython], check=True)
    place = build / f"kernels_of_test{sysconfig.get_config_var('EXT_SUFFIX')}"
    include = [build, source / "kernels", np.get_include(), sysconfig.get_path("include")]
    flags = ["-O1", "-w", "-shared", "-fPIC", "-ffp-contract=off", "-DS3S4_FLAGS=none"]
    flags += [f"-I{path}" for path in include]
    subprocess.run(["cc", *flags, build / "kernels.c", "-o", place, "-lm"], check=True)
    spec = importlib.util.spec_from_file_location("kernels_of_test", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_function_shares_the_nodes_of_its_derivative():
    """Whatever each calls it, and also where it stands inside of an expression."""
    text = ENTRY.replace(
        "    E = exp_neg(abs(x))\n    return (a", "    W = 1 + exp_neg(abs(x))\n    return (a"
    )
    text = text.replace("* E / ((1 + E) * (1 + E))", "* (W - 1) / (W * W)")
    both = {function.name: function for function in read(text).functions}["bump_value_dx"]
    assert len(both.costly) == 1


def test_the_functions_of_the_gpu_are_those_of_the_nodes():
    """Their text, run with the operations of mpmath, gives what the nodes are, factor apart."""
    names: dict[str, object] = {}
    exec(gpu.module(family(FORMULAS)), names)
    known = nodes.OPERATIONS | {"divide": nodes.OPERATIONS["div"]}
    known |= {f"{op}{form}": known[op] for op in PRODUCTS & known.keys() for form in FORMS}
    elements = names["elements"](lambda function: function, mp.mpf, known)
    for function in family(FORMULAS).functions:
        inputs = {name: mp.mpf(2) ** -i for i, name in enumerate(function.inputs)}
        expected = tuple(nodes.value(output, inputs) for output in function.outputs)
        given = [inputs[name] for name in function.inputs if name != "g"]
        found = elements[f"{function.name}_element"](*given)
        assert (found if isinstance(found, tuple) else (found,)) == expected, function.name


def test_a_factor_that_an_element_decides_is_not_uniform():
    u, k = variable("x"), variable("k")
    Node("unscaled_product_uniform", number("0.5"), u)
    Node("unscaled_product_shared", Node("abs", k), u)
    for form in FORMS:
        with pytest.raises(TypeError, match="no element decides"):
            Node(f"unscaled_product{form}", Node("mul", number("0.5"), u), u)


def test_array_expressions_are_the_functions():
    """In NumPy's arithmetic, whose exponentials are its own: against the ufuncs."""
    library = Primitives(np, lambda value, like: value)
    formulas = family(FORMULAS)
    made: dict[str, object] = {}
    exec(arrays.module(formulas), made)
    x = np.linspace(-8, 8, 1001)
    g = np.cos(x)
    with np.errstate(all="ignore"):
        for activation in formulas.activations:
            parameters = [np.float64(default) for default in activation.defaults.values()]
            expected = getattr(s3s4.ufuncs, activation.name)(x, *parameters)
            found = made[activation.name](library, x, *parameters)
            assert np.allclose(found, expected, rtol=1e-8, atol=1e-11), activation.name
            products = made[f"{activation.name}_backward"](library, g, x, *parameters)
            products = products if isinstance(products, tuple) else (products,)
            for by, found in zip(activation.derivatives.values(), products, strict=True):
                expected = g * getattr(s3s4.ufuncs, by.name)(x, *parameters)
                assert np.allclose(found, expected, rtol=1e-8, atol=1e-11), by.name


def test_what_the_gpu_has_not_got_is_refused():
    with pytest.raises(Refused, match=r"^activations\.py:4: .*has no primitive exp_neg_product"):
        gpu.module(read(ENTRY.replace(LAST, "    return a * exp_neg_product(a, E)")))


def test_what_arrays_have_not_got_is_refused():
    with pytest.raises(SystemExit, match=r"_array_primitives\.py has no primitive log1p_any"):
        arrays.module(read(ENTRY.replace(LAST, "    return a * log1p_any(E)")))


def test_defaults_that_cython_can_have():
    """Plain literals alone, and none before a parameter that has no default."""
    assert cython.defaults(family(FORMULAS))["hardtanh"] == {"max": 1.0}


def test_strings_of_c():
    assert c_tables.string('a "b" \\ c\nd') == '"a \\"b\\" \\\\ c\\n"\n     "d"'


def test_every_derivative_is_that_of_its_function():
    """Written by hand, against the rules of differentiation, at 50 digits: constants have 21."""
    wrong = []
    rng = np.random.default_rng(1)
    with mp.workdps(50):
        for activation in family(FORMULAS).activations:
            points = [{"x": x, **activation.defaults} for x in (-7.3, -0.61, 0.13, 2.7, 21.5)]
            points += [
                {"x": rng.normal(0, 3), **{p: rng.uniform(0.1, 3) for p in activation.defaults}}
                for _ in range(4)
            ]
            for by, written in activation.derivatives.items():
                derived = derivative(activation.value, variable(by))
                for point in points:
                    inputs = {name: mp.mpf(float(v)) for name, v in point.items()}
                    one, other = (nodes.value(n, inputs) for n in (*written.outputs, derived))
                    if abs(one - other) > 1e-18 * abs(other):
                        wrong.append((written.name, point, one, other))
    assert not wrong


def test_rules_of_differentiation_are_those_of_all_operations():
    apart = {"select", "div", "neg", "unscaled", "abs", "copysign"}
    # Row functions have products of their own.
    apart |= {"row_reference", "binary_exponent", "exp_neg_scaled"}
    assert not derive.PARTIAL.keys() & apart
    assert derive.PARTIAL.keys() | apart == (ARITHMETIC - COMPARISONS) | CHEAP.keys() | {*COSTLY}


@pytest.mark.slow
def test_the_polynomials_are_those_of_the_remez_exchange(tmp_path):
    shutil.copy(FORMULAS / "remez.py", tmp_path)
    subprocess.run([sys.executable, tmp_path / "remez.py"], check=True, capture_output=True)
    found = (tmp_path / "coefficients.py").read_text()
    assert found == (FORMULAS / "coefficients.py").read_text()


@pytest.mark.parametrize(("dtype", "number"), [("float32", 0), ("float64", 1)])
def test_bounds_of_exponents_lose_nothing_and_make_nothing_subnormal(dtype, number):
    """At the bound u^3 times the exponential is no normal number, and 2^64 times it is one."""
    text = (Path(s3s4.get_include()) / "primitives.h").read_text("utf-8")
    smallest = mp.mpf(float(np.finfo(dtype).smallest_normal))
    for name, power in (("EXP_RANGE", lambda u: u), ("NORMAL_RANGE", lambda u: u * u / 2)):
        bound = mp.mpf(re.findall(rf"#define S3S4_{name} ([\d.]+)", text)[number])
        value = mp.exp(-power(bound))
        assert value * bound**3 < smallest < value * 2**64
