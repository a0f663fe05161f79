"""What a probe saw of driver, GPUs, torch and bitsandbytes, and what that means for the recipes."""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from onkocode.cluster import probe
from onkocode.cluster.gpu_software import Need, check_gpus, check_kernels
from onkocode.cluster.probe import Device, Request, Seen, devices_of, look, read_seen, result_file, token_file

A40 = Device("NVIDIA A40", "550.54.15", (8, 6))
V100 = Device("Tesla V100-PCIE-32GB", "550.54.15", (7, 0))
T4 = Device("Tesla T4", "550.54.15", (7, 5))
SOUND = Seen(
    node="gpu1",
    devices=[A40],
    driver_cuda="12.4",
    visible="0",
    torch="2.9.1+cu126",
    cuda="12.6",
    available=True,
    names=["NVIDIA A40"],
    capabilities=[(8, 6)],
    architectures=["sm_70", "sm_75", "sm_80", "sm_86", "sm_90"],
    bitsandbytes="0.50.2",
    native=True,
)
INT8 = Need("qwen3-14b", "training", "bf16", "8bit")
PLAIN = Need("qwen3-8b", "training", "bf16", "none")
FP32 = Need("small", "training", "fp32", "4bit")


def on(device: Device, **further: Any) -> Seen:
    names: dict[str, Any] = {"devices": [device], "names": [device.name], "capabilities": [device.capability]}
    return replace(SOUND, **names, **further)


def said(seen: Seen, *needs: Need, asked: int = 1) -> list[str]:
    """What is not ok."""
    return [str(item) for item in check_gpus(seen, asked, needs) if item.level != "ok"]


def test_node_that_is_right() -> None:
    lines = [str(item) for item in check_gpus(SOUND, 1, [INT8])]
    assert lines == [
        "ok       node gpu1: NVIDIA A40, driver 550.54.15, CUDA up to 12.4",
        "ok       torch 2.9.1+cu126 with CUDA 12.6: computes on node gpu1",
        "ok       NVIDIA A40 (capability 8.6): torch has kernels for it",
        "ok       bitsandbytes 0.50.2: its library loads on node gpu1",
    ]
    assert said(SOUND) == []


def test_node_without_a_driver() -> None:
    seen = replace(
        SOUND, devices=[], driver_error="nvidia-smi is not there", available=False, names=[], capabilities=[]
    )
    (line,) = said(seen, INT8)
    assert line.startswith("wrong    no GPU driver on node gpu1 (nvidia-smi is not there); training would run on the")


@pytest.mark.parametrize(
    ("cuda", "driver", "oldest", "advised"),
    [
        ("13.0", "550.54.15", "580.65.06", "CUDA 12"),
        ("13.0", "580.65.05", "580.65.06", "CUDA 12"),
        ("12.6", "470.82.01", "525.60.13", "CUDA 11"),
        ("12.8", "525.60.12", "525.60.13", "CUDA 11"),
        ("11.8", "450.51.06", "450.80.02", "an older CUDA"),
    ],
)
def test_driver_that_is_too_old(cuda: str, driver: str, oldest: str, advised: str) -> None:
    seen = on(replace(A40, driver=driver), cuda=cuda, available=False, torch_error="RuntimeError: driver too old")
    line = next(line for line in said(seen) if "driver" in line)
    assert line.startswith(
        f"wrong    torch 2.9.1+cu126 with CUDA {cuda}: needs driver {oldest} or later, node gpu1 has"
    )
    assert f"install a torch for {advised}" in line


@pytest.mark.parametrize(
    ("cuda", "driver"), [("12.8", "525.60.13"), ("13.1", "580.65.06"), ("11.8", "450.80.02"), ("12.6", "590.10")]
)
def test_driver_that_is_new_enough_but_does_not_compute(cuda: str, driver: str) -> None:
    """Any driver of the same major version does, and any later one; then the reason is another one."""
    seen = on(replace(A40, driver=driver), cuda=cuda, available=False, torch_error="RuntimeError: no device")
    assert any("cannot compute on the GPU of node gpu1 (RuntimeError: no device)" in line for line in said(seen))
    assert not any("needs driver" in line for line in said(seen))


def test_old_driver_that_computes_all_the_same() -> None:
    """Sites may have NVIDIA's package for forward compatibility."""
    assert said(on(replace(A40, driver="535.1"), cuda="13.0")) == []


@pytest.mark.parametrize(
    ("capability", "architectures", "level"),
    [
        ((8, 6), ["sm_80"], "ok"),
        ((8, 0), ["sm_86"], "wrong"),
        ((9, 0), ["sm_80", "sm_86"], "wrong"),
        ((9, 0), ["sm_90a"], "ok"),
        ((10, 0), ["sm_90a", "compute_90"], "warning"),
        ((12, 0), ["sm_90", "compute_90"], "warning"),
        ((12, 0), ["sm_100", "sm_120"], "ok"),
        ((12, 1), ["sm_120"], "ok"),
        ((7, 0), ["sm_75", "sm_80", "compute_80"], "wrong"),
        ((8, 9), ["sm_80", "sm_90", "compute_120"], "ok"),
        ((8, 6), [], "ok"),
    ],
)
def test_kernels(capability: tuple[int, int], architectures: list[str], level: str) -> None:
    assert (
        check_kernels("x", capability, replace(SOUND, architectures=architectures, driver_cuda="13.0")).level == level
    )


def test_kernels_that_the_driver_cannot_compile() -> None:
    """What a newer CUDA wrote is not read by the driver of an older one."""
    seen = replace(SOUND, architectures=["sm_80", "compute_80"], driver_cuda="12.4", cuda="12.6")
    found = check_kernels("B200", (10, 0), seen)
    assert found.level == "wrong"
    assert found.advice == "install a newer torch"
    assert "older torch" in check_kernels("V100", (7, 0), replace(SOUND, architectures=["sm_80"])).advice


def test_bf16() -> None:
    for device in (V100, T4):
        (line,) = said(on(device), PLAIN, FP32)
        assert "computes no bf16, which training of qwen3-8b asks for; set precision: fp32" in line
    assert said(on(V100), FP32) == []
    assert said(SOUND, PLAIN, FP32) == []


def test_quantisation() -> None:
    int8 = replace(INT8, precision="fp32")
    (line,) = said(on(V100), int8)
    assert "too old for quantisation 8bit (7.5 or later), set for training of qwen3-14b" in line
    assert said(on(T4), int8) == []
    old = Device("Tesla M60", "550.1", (5, 2))
    lines = said(on(old, architectures=["sm_50"]), FP32)
    assert ["quantisation 4bit (6.0 or later)" in line for line in lines] == [True]


def test_bitsandbytes() -> None:
    broken = replace(SOUND, native=False, bitsandbytes_error="libcusparse.so.12: cannot open")
    (line,) = said(broken, INT8, FP32)
    assert "does not work on node gpu1 (libcusparse.so.12: cannot open); install a version for CUDA 12.6" in line
    assert "training of qwen3-14b and 1 more" in line
    assert said(broken, PLAIN) == []  # nobody needs it
    (line,) = said(replace(broken, bitsandbytes=""), INT8)
    assert line.startswith("wrong    bitsandbytes: does not work")


def test_torch() -> None:
    (line,) = said(replace(SOUND, cuda="", torch="2.13.0+cpu", available=False))
    assert line.startswith("wrong    torch 2.13.0+cpu: has no CUDA")
    (line,) = said(replace(SOUND, torch="", torch_error="ImportError: x"))
    assert line.startswith("wrong    torch: cannot be imported on node gpu1 (ImportError: x)")
    amd = replace(SOUND, hip=True, cuda="", devices=[], names=["AMD Instinct MI250X"])
    assert said(amd, INT8) == []


def test_count_and_kinds() -> None:
    assert said(replace(SOUND, visible="0,1")) == [
        "wrong    node gpu1: 1 GPUs were asked for, 2 were given (0,1); correct `gpu_request` in config/site.yaml, "
        "or ask the site"
    ]
    assert "0 were given (none)" in said(replace(SOUND, visible=""))[0]
    assert said(replace(SOUND, visible=None)) == []
    assert said(replace(SOUND, visible="MIG-1,MIG-2"), asked=2) == []
    two = replace(SOUND, visible=None, devices=[A40, V100])
    lines = said(two)
    assert "has GPUs of several kinds (NVIDIA A40, Tesla V100-PCIE-32GB)" in lines[0]
    assert "may take each other's GPUs" in lines[1]


# -- the probe itself --


def test_lines_of_nvidia_smi() -> None:
    text = "NVIDIA A40, 550.54.15, 8.6\nNVIDIA H100 80GB HBM3, 580.65.06, 9.0\nNVIDIA B200, 580.1, 10.0\n"
    assert devices_of(text) == [
        Device("NVIDIA A40", "550.54.15", (8, 6)),
        Device("NVIDIA H100 80GB HBM3", "580.65.06", (9, 0)),
        Device("NVIDIA B200", "580.1", (10, 0)),
    ]
    assert devices_of("No devices were found\n") == []


SMI = """#!/bin/sh
case "$1" in
    --query-gpu*) echo "NVIDIA A40, 550.54.15, 8.6" ;;
    *) echo "| NVIDIA-SMI 550.54.15    Driver Version: 550.54.15    CUDA Version: 12.4     |" ;;
esac
"""


@pytest.mark.parametrize(
    ("script", "devices", "error", "cuda"),
    [
        (SMI, [A40], "", "12.4"),
        (
            "#!/bin/sh\necho 'NVIDIA-SMI has failed because it cannot talk to the driver'; exit 9\n",
            [],
            "has failed",
            "",
        ),
        ("#!/bin/sh\necho 'No devices were found'\n", [], "No devices", ""),
        (None, [], "nvidia-smi is not there", ""),
    ],
)
def test_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, devices: list[Device], error: str, cuda: str
) -> None:
    if script is not None:
        (tmp_path / "nvidia-smi").write_text(script)
        (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin" if script else str(tmp_path))
    found, reason = probe.ask_driver()
    assert found == devices
    assert error in reason
    assert probe.ask_driver_cuda() == cuda


def test_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURMD_NODENAME", "node7")
    same, other = tmp_path / "same", tmp_path / "other"
    for folder, token in ((same, "abc"), (other, "xyz")):
        folder.mkdir()
        token_file(folder, "abc").write_text(token)
    folders = {"same": str(same), "other": str(other), "missing": str(tmp_path / "missing")}
    seen = look(Request("abc", folders))
    assert seen.node == "node7"
    assert seen.tokens == {"same": True, "other": False, "missing": False}
    assert seen.writable == {"same": True, "other": True, "missing": False}
    assert seen.free["same"] > 0
    assert seen.onkocode == ""
    assert [path.name for path in same.iterdir()] == [".onkocode-check-abc"]


def test_result_comes_back_as_it_was_written(tmp_path: Path) -> None:
    request = tmp_path / "gpu.json"
    request.write_text(json.dumps(asdict(Request("abc", {"here": str(tmp_path)}))))
    probe.main(request)
    found = read_seen(result_file(request))
    assert found is not None
    assert found.python == sys.version.split()[0]
    result_file(request).write_text(json.dumps(asdict(SOUND)))
    assert read_seen(result_file(request)) == SOUND
