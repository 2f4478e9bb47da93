# Every command of a developer, listed in CONTRIBUTING.md. Needs Python >= 3.11, a C compiler, make.
#
# Design:
# - The wheel is built once, incrementally, and installed into an environment for each purpose. A
#   stamp file in each says when, so that a second run does nothing but the job.
# - Nothing is imported from this folder: tests run with PYTHONSAFEPATH.

PYTHON ?= python3
COMPILERS ?= clang plain-cc
SOURCES := pyproject.toml meson.build README.md LICENSE $(wildcard src/*/*.py src/*/*/*.py \
    src/embedding/* src/kernels/* src/pytorch/* src/xla/* src/meson.build s3s4/*.py s3s4/*/*.py s3s4/*.pyi \
    s3s4/*/*.pyi s3s4/py.typed s3s4/meson.build)

.PHONY: demo test slow frameworks fuzz sanitize arm64 dev lint bench study site site-check man \
    family wheel sdist audit smoke minima gpu-check gpu gpu-host on-card on-card-bundle \
    gpu-roofline portability clean
.DELETE_ON_ERROR .SECONDARY:

demo: .venv-cli/installed
	.venv-cli/bin/s3s4 demo -o build/s3s4-demo.png
OPTIONS_test := -n 2 --dist loadfile
OPTIONS_slow := -m "slow or torch"
OPTIONS_frameworks := -m frameworks tests/frameworks
test slow frameworks: %: .venv-%/installed
	PYTHONSAFEPATH=1 .venv-$*/bin/python -m pytest -q $(OPTIONS_$*) $(ARGS)
fuzz: .venv-test/installed
	.venv-test/bin/python tests/tools/fuzz.py 100000
sanitize: .venv-build/requirements .venv-test/installed
	.ci/sanitize "$(CURDIR)/.venv-test/bin/python"
arm64: .venv-test/installed
	.venv-test/bin/python tests/tools/arm64.py
gpu-check: .venv-gpu-check/installed
	.venv-gpu-check/bin/python tests/tools/gpu_check.py $(ARGS)
gpu: .venv-gpu-check/installed
	PYTHONSAFEPATH=1 .venv-gpu-check/bin/python -m pytest -q -m "slow or not slow" \
	    tests/test_fakecuda.py tests/test_fakecuda_driver.py tests/test_short_floats.py $(ARGS)
	PYTHONSAFEPATH=1 .venv-gpu-check/bin/python tests/tools/fakecuda/run.py \
	    .venv-gpu-check/bin/python -m pytest -q -m gpu tests/test_streams.py \
	    tests/test_on_card.py tests/test_layouts_on_card.py tests/test_card_types.py $(ARGS)

dev: .venv/requirements
	.ci/editable "$(CURDIR)/.venv"
lint: .venv-lint/installed
	.ci/lint "$(CURDIR)/.venv-lint"
bench: .venv-bench/installed
	.venv-bench/bin/python benchmarks/run.py $(or $(ARGS),grid)
gpu-host: .venv-gpu-check/installed
	FAKECUDA_FREE_AT_ONCE=1 .venv-gpu-check/bin/python tests/tools/fakecuda/run.py \
	    .venv-gpu-check/bin/python benchmarks/run.py gpu_host $(ARGS)
study: .venv-study/installed
	.venv-study/bin/python study/run.py $(ARGS)
on-card: .venv-gpu-check/installed on-card-bundle
	build/on-card/on-card $(ARGS)
on-card-bundle: .venv-gpu-check/installed
	.ci/on-card-bundle .venv-gpu-check/bin/python build/on-card
gpu-roofline: .venv-gpu-check/installed
	.venv-gpu-check/bin/python benchmarks/run.py roofline $(ARGS)
man: .venv-cli/installed
	.venv-cli/bin/python -P docs/manual.py build/man/s3s4.1
site: .venv-site/installed
	.venv-site/bin/python docs/site/stage.py build/site-source
	rm -rf build/site
	.venv-site/bin/python -P -m sphinx -nW --keep-going -q -c docs/site -d build/site-doctrees \
	    build/site-source build/site
site-check: site
	.venv-site/bin/python docs/site/check.py build/site build/site-screenshots
family: .venv-slow/installed
	.venv-slow/bin/python docs/site/family.py

wheel: build/wheel/built
sdist: .venv-package/installed
	.ci/sdist .venv-package/bin/python
audit: .venv-package/installed
	.ci/audit "$(CURDIR)/.venv-package"
smoke: audit
	.ci/pythons | xargs -I{} .ci/smoke {} build/repaired/*.whl
minima: .venv-build/requirements .venv-package/installed
	.ci/minima .venv-package/bin/uv
portability: $(COMPILERS:%=with-%)
with-%: .venv-build/requirements .venv-test/installed
	PATH="$(CURDIR)/.ci:$$PATH" .ci/other-compiler $* "$(CURDIR)/.venv-test/bin/python"

clean:
	rm -rf build .venv .venv-*
build/wheel/built: .venv-build/requirements $(SOURCES)
	rm -rf $(@D)
	PATH="$(CURDIR)/.venv-build/bin:$$PATH" python -m pip --disable-pip-version-check wheel -q \
	    --no-build-isolation --no-deps --config-settings=build-dir=build/meson --wheel-dir $(@D) .
	touch $@

# .venv-NAME holds the wheel with the extra NAME.
.venv-%/installed: build/wheel/built
	.ci/make-venv $(PYTHON) $(@D)
	.ci/install $(@D)/bin/python $*
	touch $@

# What pyproject.toml says a build needs, for builds without isolation.
%/requirements: pyproject.toml
	.ci/make-venv $(PYTHON) $(@D)
	.ci/requirements $(PYTHON) > $@
	$(@D)/bin/python -m pip --disable-pip-version-check install -q -r $@
