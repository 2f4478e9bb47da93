"""One module for each instruction set: picked, forced, refused, and free of the others' code."""

import platform
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

import s3s4
from s3s4 import _cpu, _isa, _table
from support import python

SHOW = "import s3s4; print(s3s4.build_config()['variant'])"
# More than this processor may be able to run.
X86 = ("avx512", "avx2", "baseline")

disassembles = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64") or not shutil.which("objdump"),
    reason="needs objdump on an x86-64 processor",
)


@cache
def functions(variant):
    """Return the code of every function of a variant's module by its symbol."""
    text = subprocess.run(
        ["objdump", "--disassemble", "--no-show-raw-insn", _cpu.load(variant).__file__],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    parts = re.split(r"^[0-9a-f]+ <(.+)>:$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_best_is_picked():
    assert python(SHOW, S3S4_ISA="").stdout.strip() == _cpu.VARIANTS[0]
    assert list(_cpu.VARIANTS) == list(dict.fromkeys(_cpu.VARIANTS))
    ranked = [variant for variant in X86 if variant in _cpu.VARIANTS]
    assert ranked == [variant for variant in _cpu.VARIANTS if variant in X86]


def test_what_can_run_is_what_the_system_says():
    """Linux lists what the processor has and the system saves the registers of."""
    cpuinfo = Path("/proc/cpuinfo")
    listed = cpuinfo.exists() and re.search(r"^flags\s*: (.*)$", cpuinfo.read_text(), re.MULTILINE)
    if not listed:
        pytest.skip("this system lists no features of an x86 processor")
    needed = {"avx2": {"avx2", "fma", "f16c"}}
    needed["avx512"] = needed["avx2"] | {"avx512f", "avx512bw", "avx512dq", "avx512vl"}
    wanted = {name for name, features in needed.items() if features <= set(listed[1].split())}
    assert _isa.supported() == wanted


@pytest.mark.parametrize("variant", _cpu.VARIANTS)
def test_every_one_can_be_forced(variant):
    code = f"{SHOW}; import sys; print([name for name in sys.modules if 'kernels' in name])"
    shown, modules = python(code, S3S4_ISA=variant).stdout.splitlines()
    assert shown == variant
    assert modules == str([_cpu.load(variant).__name__])


@pytest.mark.parametrize("wrong", ["avx1024", "AVX2", " baseline"])
def test_an_unknown_one_is_refused_by_name(wrong):
    done = python(SHOW, check=False, S3S4_ISA=wrong)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError")
    assert "S3S4_ISA" in last
    assert wrong in last
    assert all(variant in last for variant in _cpu.VARIANTS)


def test_load_refuses_an_unknown_one_by_name():
    with pytest.raises(ImportError, match="avx1024") as caught:
        _cpu.load("avx1024")
    assert all(variant in str(caught.value) for variant in _cpu.VARIANTS)


def test_one_that_the_processor_cannot_run_is_refused(monkeypatch):
    monkeypatch.setattr(_cpu.variant, "VARIANTS", ("serial",))
    for variant in set(_cpu.VARIANTS) - {"serial"}:
        with pytest.raises(ImportError, match=rf"{variant}.*serial"):
            _cpu.load(variant)


@pytest.mark.parametrize("variant", _cpu.VARIANTS)
def test_configuration_names_the_flags(variant):
    code = "import s3s4; print(s3s4.build_config()['flags']); s3s4.show_config()"
    done = python(code, S3S4_ISA=variant).stdout
    assert variant in done
    assert "-ffast-math" not in done
    if variant in X86[:2]:
        assert f"-m{variant[:6]}" in done


def test_show_config_prints_every_entry(capsys):
    s3s4.show_config()
    shown = capsys.readouterr().out
    for name, value in s3s4.build_config().items():
        assert name in shown
        for part in value if isinstance(value, list) else [value]:
            assert str(part) in shown


@disassembles
@pytest.mark.parametrize("variant", [v for v in _cpu.VARIANTS if v not in X86[:2]])
def test_plain_code_has_no_wide_register(variant):
    wide = {
        name for name, code in functions(variant).items() if re.search(r"%[yz]mm|%k[0-7]", code)
    }
    assert not wide


@disassembles
@pytest.mark.skipif("avx2" not in _cpu.VARIANTS, reason="this processor has no AVX2")
def test_avx2_code_has_no_avx512_register():
    code = "".join(functions("avx2").values())
    assert re.search(r"%ymm", code)
    assert not re.search(r"%zmm|%k[0-7]|%[xy]mm(1[6-9]|2\d|3[01])", code)


@disassembles
@pytest.mark.skipif("avx512" not in _cpu.VARIANTS, reason="this processor has no AVX-512")
def test_avx512_code_uses_its_registers():
    assert re.search(r"%zmm", "".join(functions("avx512").values()))


def hot(variant, kinds):
    """Return the code of the functions that compute blocks of elements."""
    code = functions(variant)
    activations = "|".join(_table.TABLE)
    pattern = re.compile(rf"s3s4_({activations})_(\w+_)?(block|ordinary|uniform)_({kinds})\b")
    found = {name: text for name, text in code.items() if pattern.match(name)}
    assert found, "the functions that compute blocks have symbols"
    return found


@disassembles
@pytest.mark.parametrize("variant", _cpu.VARIANTS)
def test_float32_code_never_turns_to_double(variant):
    double = r"\bv?(cvt[a-z0-9]*2[ps]d|(add|sub|mul|div|fn?m(add|sub)\d*)[ps]d)\b"
    wrong = {name: re.findall(double, code) for name, code in hot(variant, "f32").items()}
    assert not {name: found for name, found in wrong.items() if found}


@disassembles
@pytest.mark.parametrize("variant", _cpu.VARIANTS)
def test_hot_code_is_vectorised_and_calls_nothing(variant):
    for name, code in hot(variant, "f32|f64").items():
        packed = "ps" if "_f32" in name else "pd"
        if re.match(r"\s*\S+:\s+jmp\s+\w+ <s3s4_", code):
            continue  # a function with the same code stands for both
        assert re.search(rf"\bv?(?!u?comi|mov)\w+{packed}\b", code), f"{name} is not vectorised"
        # What a loop needs is called for before it: gcc takes a constant for a variable that way.
        calls = re.findall(r"\bcall\S*\s+\w+ <(?!s3s4_variable_)(\S+)>", code)
        assert not calls, f"{name} calls a function"
