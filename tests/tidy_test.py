"""scripts/tidy finds each breach of the house rules: a clean tree passes, one fault at a time fails."""

import subprocess
from pathlib import Path

import pytest

TIDY = Path(__file__).parent.parent / "scripts" / "tidy"
PREAMBLE = "// What it is.\n"
CLEAN = {
    "shm/CMakeLists.txt": "# Builds.\nadd_library(x a.cpp)\n",
    "shm/a.cpp": PREAMBLE + '#include "shm/a.hpp"\n',
    "shm/a.hpp": PREAMBLE + "#pragma once\n",
    "ngx_module/core/CMakeLists.txt": "# Builds.\nadd_library(core b.cpp)\n",
    "ngx_module/core/b.cpp": PREAMBLE + '#include "shm/a.hpp"\n',
}
FAULTS = {
    "shm/a.cpp": [
        (PREAMBLE + '#include "shm/a.hpp"\n#include "controller/x.hpp"\n', "may not include"),
        ('#include "shm/a.hpp"\n', "no preamble"),
        (PREAMBLE + '#include "shm/a.hpp"\n\nauto v = x.load(std::memory_order_acquire);\n',
         "without its"),
        (PREAMBLE + '#include "shm/a.hpp"\n' + "int x;\n" * 400, "split it by idea"),
    ],
    "shm/orphan.cpp": [(PREAMBLE, "no CMakeLists.txt builds it")],
    "shm/orphan.hpp": [(PREAMBLE, "nobody includes it")],
    "ngx_module/core/b.cpp": [
        (PREAMBLE + "#include <ngx_core.h>\n", "core knows no NGINX"),
        (PREAMBLE + 'auto e = ngx_log_error(NGX_LOG_ERR, log, 0, "%V and %ui", &name);\n',
         "2 formats, 1 arguments"),
        (PREAMBLE + 'auto e = ngx_log_error(NGX_LOG_ERR, log, 0, "%q", name);\n', "no format"),
    ],
}


def run(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    subprocess.run(["git", "init", "-q", folder], check=True)
    return subprocess.run([TIDY, folder], capture_output=True, text=True, check=False)


def test_a_clean_tree_passes(tmp_path):
    result = run(tmp_path, CLEAN)
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize("name, text, message",
                         [(name, *fault) for name, faults in FAULTS.items() for fault in faults])
def test_one_fault_is_found(tmp_path, name, text, message):
    result = run(tmp_path, {**CLEAN, name: text})
    assert result.returncode == 1
    assert message in result.stdout
