"""s3s4.torch in several processes, in files, and in what PyTorch keeps on disk."""

import multiprocessing

import pytest

from support import python

torch = pytest.importorskip("torch", reason="PyTorch is not installed: it is in [frameworks]")

from torch import nn

import s3s4.torch as st
from s3s4.torch import _ops

pytestmark = [
    pytest.mark.frameworks,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch"),
    pytest.mark.filterwarnings("ignore:.torch.jit.* is deprecated:FutureWarning"),
]

MODEL = """
import sys, torch, torch.distributed as dist
from torch import nn
import s3s4.torch as st

def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), st.S4(2.0, num_parameters=16), nn.Linear(16, 1))

def data():
    return torch.randn(64, 8, generator=torch.Generator().manual_seed(1))
"""
WORKER = """
def work(rank, store):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    wrapped = nn.parallel.DistributedDataParallel(model())
    wrapped(data().chunk(2)[rank]).mean().backward()
    single = model()
    single(data()).mean().backward()
    for ours, theirs in zip(wrapped.parameters(), single.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)
    assert wrapped.module[1].k.grad.abs().min() > 0
    dist.destroy_process_group()
"""


def test_distributed_data_parallel(tmp_path):
    """Two processes have the gradients of one, k's too."""
    (tmp_path / "worker.py").write_text(MODEL + WORKER)
    store = str(tmp_path / "store")
    start = f"torch.multiprocessing.spawn(worker.work, ({store!r},), nprocs=2)"
    python(f"import torch, worker\n{start}", timeout=300, PYTHONPATH=str(tmp_path))


def backward_in_child(queue):
    torch.set_num_threads(1)  # for PyTorch's own loops, which otherwise wait for threads for ever
    x = torch.ones(300_000, requires_grad=True)
    st.s4(x).sum().backward()
    queue.put(x.grad[-1].item())


# JAX, where another file has loaded it, warns of every fork.
@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")
def test_backward_after_a_fork():
    x = torch.ones(1_000_000, requires_grad=True)
    st.s4(x).sum().backward()
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=backward_in_child, args=(queue,))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert queue.get() == x.grad[0].item()


def test_safetensors(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch", reason="safetensors is not installed")
    made = nn.Sequential(nn.Linear(3, 4), st.S4(2.0, num_parameters=4), st.PSS(0.25))
    safetensors.save_model(made, tmp_path / "model.safetensors")
    other = nn.Sequential(nn.Linear(3, 4), st.S4(num_parameters=4), st.PSS())
    safetensors.load_model(other, tmp_path / "model.safetensors")
    x = torch.randn(5, 3)
    assert torch.equal(other(x), made(x))
    assert other[1].k.tolist() == [2.0] * 4


def test_what_is_compiled_knows_what_of(tmp_path):
    """PyTorch keeps compiled graphs by the names of operators: another text is another name."""
    text = tmp_path / "text.py"
    text.write_text("1")
    one = _ops.fingerprint(str(text))
    text.write_text("2")
    assert _ops.fingerprint(str(text)) != one
    assert _ops.fingerprint(str(tmp_path / "absent")) == _ops.fingerprint(None)
    assert hasattr(getattr(torch.ops, _ops.TRACED), "s4")
