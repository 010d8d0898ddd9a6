# SPDX-License-Identifier: GPL-2.0-or-later
#
# make help lists the targets.  Nothing here names a source file: a room's
# *.c become one archive, three main.c become the programs, every
# tests/unit/test_*.c, tests/xdp/test_*.c, tests/fuzz/fuzz_*.c and
# benchmarks/bench_*.c becomes a program linked with all archives, and so does
# each load_*.c, which the figures' scripts and tests let loose.  What runs
# in the kernel, xdp/*.bpf.c, is compiled first and carried by its room.
#
#   BUILD=dir     where everything made goes                 (build)
#   CC=gcc        the compiler of the main build             (gcc)
#   SAN=address   sanitizers for the main build              (none)
#   T=name        make test: one file, one test (file:test), or a substring
#   M=name        make mutants: only these
#   F=name        make fuzz: only this target;  SECONDS=n for how long
#   UNIT=1        make san: unit tests and corpora only
#   ROOMS=names   link only these, while another room does not compile
#                 ("dataplane-% controlplane-core")
#   DESTDIR=dir   make install: below it;  PREFIX=dir in there  (/usr/local)
#   V=1           show the commands
#
# On Debian 13 this runs as it is.  On any other host every target runs
# inside a Debian 13 build root which image/buildroot/make creates once and
# caches outside the tree; $(BUILD)/bin then holds wrappers that enter it.

MAKEFLAGS += --no-builtin-rules --no-builtin-variables
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

BUILD ?= build
ifneq (,$(filter default undefined,$(origin CC)))
CC := gcc
endif
CLANG ?= clang-19
PREFIX ?= /usr/local
TOP   := $(CURDIR)
,     := ,
Q     := $(if $(V),,@)
say    = $(if $(V),,@printf '  %-7s %s\n' '$1' '$2')

ACTIONS := all lib test demo check san bench bench-dataplane mutants fuzz \
	vectors install uninstall deb
NEEDS_DEV := check fuzz deb
ALONE   := help clean

goals   := $(or $(MAKECMDGOALS),all)
kind    := $(if $(filter $(NEEDS_DEV),$(goals)),dev,run)
HOST_OS := $(shell . /etc/os-release 2>/dev/null; echo "$$ID$$VERSION_ID")
VX6_NATIVE ?= $(if $(filter debian13,$(HOST_OS)),1,0)

.PHONY: $(ACTIONS) $(ALONE) FORCE

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(firstword $(MAKEFILE_LIST)) | \
	sort | while IFS='|' read -r t s; do printf '  make %-15s %s\n' "$$t" "$$s"; done

clean: ## remove what was built (the cached build root stays)
	rm -rf $(BUILD)

ifeq (,$(filter-out $(ALONE),$(goals)))
# help and clean need no compiler and no build root
else ifneq ($(VX6_NATIVE),1)

# ---- any other host: the same goals, once, inside the build root ----------
PROGRAMS := vx6 vx6d vx6-dataplane
abs_build := $(abspath $(BUILD))
stage     := $(abs_build)/stage

$(filter $(filter-out uninstall,$(ACTIONS)),$(goals)): in-root ;
.PHONY: in-root
in-root:
	$(Q)mkdir -p $(BUILD)/bin
	$(Q)image/buildroot/wrappers $(abs_build) $(PROGRAMS)
	+$(Q)VX6_CMD=$(BUILD)/bin/vx6 image/buildroot/enter $(kind) \
		make --no-print-directory $(filter-out uninstall,$(goals)) \
		BUILD=$(BUILD)/root \
		$(if $(filter install,$(goals)),DESTDIR=$(stage))
	$(if $(filter install,$(goals)),$(Q)mkdir -p '$(DESTDIR)' && \
		cp -r $(stage)/. '$(DESTDIR)' && rm -r $(stage))

uninstall:
	$(Q)image/install --remove '$(DESTDIR)' '$(PREFIX)'

# The build root has no sight of the host's /usr, and the programs need the
# libraries of Debian 13.
ifneq (,$(filter install uninstall,$(goals)))
ifeq (,$(DESTDIR))
$(error the programs are made for Debian 13 and would not run here: say DESTDIR=dir)
endif
endif

else

# ---- Debian 13: the build itself -----------------------------------------
# The build root has all packages; on a host of that release they are asked.
ifeq (,$(wildcard /etc/vx6-buildroot)$(PACKAGED))
lacking := $(shell image/buildroot/make --missing $(kind))
ifneq (,$(lacking))
ifeq ($(VX6_INSTALL),1)
$(info installing $(lacking))
installed := $(shell { apt-get update && DEBIAN_FRONTEND=noninteractive \
	apt-get install -y --no-install-recommends $(lacking); } >&2 && echo yes)
$(if $(installed),,$(error apt-get could not install them))
else
$(error packages are missing. Run: apt-get install $(lacking) -- or, as root, the same make with VX6_INSTALL=1)
endif
endif
endif

ifeq (,$(filter --jobserver%,$(MAKEFLAGS)))
MAKEFLAGS += -j$(shell nproc)
endif

# Several goals on one command line run in the order they were given.
chain = $(if $(word 2,$1),$(eval $(word 2,$1): | $(word 1,$1))$(call chain,$(wordlist 2,99,$1)))
$(call chain,$(filter $(ACTIONS),$(goals)))

sources  := $(sort $(shell find dataplane controlplane config xdp -name '*.c' \
	! -name '*.bpf.c' ! -name main.c ! -path 'dataplane/port/dpdk/*' \
	2>/dev/null))
support  := $(sort $(wildcard tests/support/*.c))
benchlib := $(sort $(filter-out benchmarks/bench_% benchmarks/load_%,$(wildcard benchmarks/*.c)))
units    := $(sort $(wildcard tests/unit/test_*.c tests/xdp/test_*.c))
kernels  := $(sort $(wildcard xdp/*.bpf.c))
fuzzers  := $(sort $(wildcard tests/fuzz/fuzz_*.c))
benches  := $(sort $(wildcard benchmarks/bench_*.c benchmarks/load_*.c))
mains    := $(wildcard dataplane/worker/main.c controlplane/main.c \
	controlplane/cli/main.c)
corpora  := $(sort $(wildcard tests/fuzz/corpus/*))
scripts  := $(sort $(foreach f,$(wildcard tests/*/test_*),\
	$(if $(filter %.c %.h %.json %.md %.pyc,$f),,$f)))
headers  := $(sort $(shell find dataplane controlplane config xdp benchmarks \
	tests -name '*.h' 2>/dev/null))

# The DPDK back end is an object of its own, which alone is linked to DPDK and
# holds what it takes from base, net and port.
dpdk_own := $(sort $(wildcard dataplane/port/dpdk/*.c))
dpdk_all := $(dpdk_own) $(wildcard dataplane/base/*.c dataplane/net/*.c) \
	$(filter-out %/dpdk_load.c %/mem.c %/udp.c %/xsk.c \
	dataplane/port/af_xdp% dataplane/port/keeper%,\
	$(wildcard dataplane/port/*.c))
dpdk_has := $(shell pkg-config --exists libdpdk 2>/dev/null && echo 1)
ifeq (,$(dpdk_has))
$(info libdpdk is not found: the DPDK back end is left out (apt-get install libdpdk-dev))
endif

# A room is a directory below a plane: dataplane/wire/aead/x.c is in
# dataplane-wire, config/x.c in config.
room     = $(if $(filter dataplane/% controlplane/%,$1),$(call room2,$(subst /, ,$(dir $1))),$(firstword $(subst /, ,$1)))
room2    = $(firstword $1)$(if $(word 2,$1),-$(word 2,$1))
ROOMS   ?= %
rooms   := $(filter $(ROOMS),$(sort $(foreach s,$(sources),$(call room,$s)))) \
	$(if $(support),support) $(if $(benchlib),bench)
sources_of = $(if $(filter support,$1),$(support),$(if $(filter bench,$1),$(benchlib),$(foreach s,$(sources),$(if $(filter $1,$(call room,$s)),$s))))

warnings := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion \
	-Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wcast-qual \
	-Wpointer-arith -Wwrite-strings -Wformat=2 -Wswitch-enum \
	-Wimplicit-fallthrough -Werror
# tinycbor.pc names a directory that the package does not install
packages := libsodium libngtcp2 wolfssl jansson libuv sqlite3 libbpf libxdp \
	libmnl libseccomp
system   := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(packages))) \
	-isystem /usr/include/tinycbor
libs     := -Wl,--as-needed $(shell pkg-config --libs $(packages)) \
	-ltinycbor -lIPSec_MB -lm -pthread
# DPDK's headers want at least SSE4.2 and its configuration.
dpdk_cflags := $(if $(dpdk_has),$(patsubst -I%,-isystem %,$(shell \
	pkg-config --cflags libdpdk)))
dpdk_libs := -Wl,--as-needed -lrte_ethdev -lrte_mempool -lrte_mbuf -lrte_ring \
	-lrte_eal -lrte_log -lsodium -lmnl -lbpf -pthread
cflags   := -std=gnu23 -O2 -g -pthread -fPIE -fstack-protector-strong \
	-fno-common -ffile-prefix-map=$(TOP)=. -ffile-prefix-map=$(TOP)/= \
	$(warnings) -D_GNU_SOURCE -I. \
	$(system) -MMD -MP $(EXTRA_CFLAGS)
fortify  := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
ldflags  := -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack
# gcc's flow warnings misjudge instrumented code; the plain builds judge them
sanflags  = -fsanitize=$1 -fno-sanitize-recover=all -fno-omit-frame-pointer \
	-Wno-maybe-uninitialized -Wno-array-bounds -Wno-stringop-overflow \
	-Wno-stringop-overread -Wno-format-truncation
SANITIZERS := $(or $(SAN),address,undefined)

cc_main    := $(CC)
flags_main := $(cflags) $(if $(SAN),$(call sanflags,$(SAN)),$(fortify))
link_main  := $(ldflags) $(if $(SAN),-fsanitize=$(SAN))
dir_main   := $(BUILD)
cc_san     := $(CC)
flags_san  := $(cflags) $(call sanflags,$(SANITIZERS))
link_san   := $(ldflags) -fsanitize=$(SANITIZERS)
dir_san    := $(BUILD)/san
cc_clang    := $(CLANG)
flags_clang := $(cflags) $(fortify)
link_clang  := $(ldflags)
dir_clang   := $(BUILD)/clang
cc_fuzz    := $(CLANG)
flags_fuzz := $(cflags) $(call sanflags,fuzzer-no-link$(,)address$(,)undefined) \
	-Wno-unknown-warning-option
link_fuzz  := $(ldflags) -fsanitize=address,undefined
dir_fuzz   := $(BUILD)/fuzz

# clang is the only compiler for BPF here.  -g because the kernel wants BTF;
# v3 for atomics that return a value (Linux 5.12).
bpfflags := -target bpf -mcpu=v3 -std=gnu23 -O2 -g \
	-ffile-prefix-map=$(TOP)=. -ffile-prefix-map=$(TOP)/= \
	-Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wvla -Wundef \
	-Wcast-qual -Wimplicit-fallthrough -Werror -I. \
	-isystem /usr/include/$(shell gcc -print-multiarch) -MMD -MP

# What was compiled, and how, is a prerequisite: a removed file or a changed
# flag rebuilds what it touches.  Where the tree stands is no such change.
record = $(call record2,$1,$(subst $(TOP),TOP,$(subst ','\'',$2)))
record2 = $(shell mkdir -p $(dir $1); printf '%s\n' '$2' | \
	cmp -s - $1 || printf '%s\n' '$2' > $1)

$(call record,$(BUILD)/bpf/flags,$(CLANG) $(bpfflags))
bpf_objects := $(kernels:%.c=$(BUILD)/bpf/%.o)
$(bpf_objects): $(BUILD)/bpf/%.o: %.c $(BUILD)/bpf/flags
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(bpfflags) -c -o $@ $<
-include $(bpf_objects:.o=.d)

define variant_rules
D := $$(dir_$1)
$$(call record,$$D/flags,$$(cc_$1) $$(flags_$1) $$(link_$1) $$(libs))
$$(call record,$$D/sources,$$(sources) $$(support) $$(benchlib))

$$D/obj/%.o: %.c $$D/flags
	$$(call say,CC$(if $(filter main,$1),,-$1),$$<)
	@mkdir -p $$(@D)
	$$(Q)$$(cc_$1) $$(flags_$1) -c -o $$@ $$<
# its .incbin looks there
$$D/obj/xdp/object.o: flags_$1 += -Wa,-I$(BUILD)/bpf
$$D/obj/xdp/object.o: $$(bpf_objects)

archives_$1 := $$(rooms:%=$$D/lib/libvx6-%.a)
$$(foreach r,$$(rooms),$$(eval $$D/lib/libvx6-$$r.a: $$(patsubst %.c,$$D/obj/%.o,$$(call sources_of,$$r))))
$$(archives_$1): $$D/sources
	@mkdir -p $$(@D)
	$$(Q)rm -f $$@ && ar rcsD $$@ $$(filter %.o,$$^)

units_$1   := $$(units:%.c=$$D/%)
fuzzers_$1 := $$(fuzzers:%.c=$$D/%)
benches_$1 := $$(benches:benchmarks/%.c=$$D/bench/%)
progs_$1   := $$(if $$(filter controlplane/cli/main.c,$$(mains)),$$D/bin/vx6) \
	$$(if $$(filter controlplane/main.c,$$(mains)),$$D/bin/vx6d) \
	$$(if $$(filter dataplane/worker/main.c,$$(mains)),$$D/bin/vx6-dataplane)
inner_$1   := $$(filter-out %/libvx6-bench.a,$$(archives_$1))
product_$1 := $$(filter-out %/libvx6-support.a,$$(inner_$1))

$$D/bin/vx6: $$D/obj/controlplane/cli/main.o $$(product_$1)
$$D/bin/vx6d: $$D/obj/controlplane/main.o $$(product_$1)
$$D/bin/vx6-dataplane: $$D/obj/dataplane/worker/main.o $$(product_$1)
$$(units_$1): $$D/tests/%: $$D/obj/tests/%.o $$(inner_$1)
$$(fuzzers_$1): $$D/tests/fuzz/%: $$D/obj/tests/fuzz/%.o $$(inner_$1)
ifneq ($1,fuzz)
$$(fuzzers_$1): $$D/obj/tests/fuzz/main.o
endif
$$(benches_$1): $$D/bench/%: $$D/obj/benchmarks/%.o $$(archives_$1)

$$D/bench/load_create: extra_$1 = \
	-Wl,--wrap=relay_on_create,--wrap=relay_on_created,--wrap=relay_on_fail
$$(units_$1): extra_$1 = -lcmocka -Wl,--wrap=_cmocka_run_group_tests
$$(fuzzers_fuzz): extra_fuzz = -fsanitize=fuzzer
$$(units_$1) $$(fuzzers_$1) $$(benches_$1) $$D/bin/vx6 $$D/bin/vx6d $$D/bin/vx6-dataplane: $$D/flags
	$$(call say,LD$(if $(filter main,$1),,-$1),$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(cc_$1) $$(link_$1) -o $$@ $$(filter %.o,$$^) \
		-Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group \
		$$(extra_$1) $$(libs)

# position-independent, all hidden but what says otherwise
pic_$1  = $$(filter-out -fPIE,$$(flags_$1)) -fPIC -fvisibility=hidden
so_$1  := $$(if $$(dpdk_has),$$D/lib/vx6/vx6-port-dpdk.so)
$$D/pic/%.o: %.c $$D/flags
	$$(call say,CC-pic$(if $(filter main,$1),,-$1),$$<)
	@mkdir -p $$(@D)
	$$(Q)$$(cc_$1) $$(pic_$1) $$(if $$(filter $$(dpdk_own),$$<),$$(dpdk_cflags)) -c -o $$@ $$<
$$D/pic/dataplane/port/dpdk/steer.o: pic_$1 += -Wa,-I$(BUILD)/bpf
$$D/pic/dataplane/port/dpdk/steer.o: $$(bpf_objects)
$$(call record,$$D/lib/vx6/sources,$$(dpdk_all) $$(dpdk_libs))
$$D/lib/vx6/vx6-port-dpdk.so: $$(dpdk_all:%.c=$$D/pic/%.o) $$D/lib/vx6/sources
	$$(call say,LD$(if $(filter main,$1),,-$1),$$@)
	$$(Q)$$(cc_$1) $$(filter-out -pie,$$(link_$1)) -shared -Wl,-z,nodelete \
		$$(if $$(findstring sanitize,$$(link_$1)),,-Wl,-z,defs) \
		-o $$@ $$(filter %.o,$$^) $$(dpdk_libs)
-include $$(patsubst %.c,$$D/pic/%.d,$$(dpdk_all))

everything_$1 := $$(so_$1) $$(patsubst %.c,$$D/obj/%.o,$$(wildcard tests/fuzz/main.c)) $$(archives_$1) $$(progs_$1) $$(units_$1) $$(fuzzers_$1) $$(benches_$1)
-include $$(patsubst %.c,$$D/obj/%.d,$$(sources) $$(support) $$(benchlib) $$(mains) $$(units) $$(fuzzers) $$(benches) tests/fuzz/main.c)
endef

variants := main $(if $(filter check,$(goals))$(findstring /lint/,$(goals)),clang) \
	$(if $(filter san,$(goals)),san) $(if $(filter fuzz,$(goals)),fuzz)
$(foreach v,$(variants),$(eval $(call variant_rules,$v)))
.SECONDARY:

# T=file, T=file:test or a substring of a file's name builds only what it
# names; a T that names no file runs everything and lets tests/run choose.
t_file := $(basename $(notdir $(firstword $(subst :, ,$(T)))))
SECONDS ?= 60
chosen_fuzz = $(foreach f,$1,$(if $(findstring $(F),$(notdir $f)),$f))
named   = $(strip $(foreach f,$1,$(if $(findstring $(t_file),$(notdir $f)),$f)))
chosen  = $(if $(T),$(if $(call named,$(units) $(fuzzers) $(scripts)),$(call named,$1),$1),$1)
# What a test finds in its environment; $1 is the variant's directory.
run_env = VX6_TOP=$(TOP) VX6_BUILD=$(abspath $1) VX6_BIN=$(abspath $1)/bin \
	VX6_CMD=$(or $(VX6_CMD),$1/bin/vx6)
run_tests = $(call run_env,$1) tests/run $(if $(T),-T '$(T)') $2

all: $(progs_main) $(so_main) $(benches_main) ## the programs, in build/bin
	@:
lib: $(archives_main) ## only the archives
	@:

test_bins    := $(call chosen,$(units_main)) $(call chosen,$(fuzzers_main))
test_scripts := $(call chosen,$(scripts))
# test_schema lets a unit test write; $1 is the variant's directory.
samples_by = $(if $(filter %/test_schema.py,$(test_scripts)),$1/tests/unit/test_config)
test: $(test_bins) $(if $(findstring dpdk,$(test_bins)),$(so_main)) $(call samples_by,$(BUILD)) $(if $(test_scripts),$(progs_main) $(so_main) $(benches_main)) ## every test; T=name runs one
	$(Q)$(call run_tests,$(BUILD),$(test_bins) $(test_scripts))

san_bins    := $(call chosen,$(units_san)) $(call chosen,$(fuzzers_san))
san_scripts := $(if $(UNIT),,$(test_scripts))
san: $(san_bins) $(if $(findstring dpdk,$(san_bins)),$(so_san)) $(if $(san_scripts),$(call samples_by,$(BUILD)/san)) $(if $(san_scripts),$(progs_san) $(so_san) $(benches_san)) ## every test under ASan and UBSan; UNIT=1 leaves out the scripts
	$(Q)VX6_TIMEOUT_FACTOR=4 $(call run_tests,$(BUILD)/san,$(san_bins) $(san_scripts))

demo: all ## three relays and a service, to be looked at; DEMO_LAB=0 on loopback
	@test -x tests/demo/demo || { echo 'make demo: there is no tests/demo/demo' >&2; exit 1; }
	$(Q)$(call run_env,$(BUILD)) tests/demo/demo

bench: ## the figures: JSON Lines on stdout, a table on stderr; BENCH=name runs some
	+@$(MAKE) --no-print-directory all >&2
	@test -x benchmarks/run || { echo 'make bench: there is no benchmarks/run' >&2; exit 1; }
	$(Q)$(call run_env,$(BUILD)) benchmarks/run

bench-dataplane: ## the data plane's figures (dp.*) alone, a few minutes
	+@$(MAKE) --no-print-directory bench BENCH=dp.

# One clang-tidy result a file, empty when it is content; made anew when the
# file's object is, so a second `make check` asks only about what changed.
linted := $(patsubst %.c,$(BUILD)/lint/%.txt,$(sources) $(support) $(benchlib) \
	$(mains) $(units) $(fuzzers) $(benches) $(wildcard tests/fuzz/main.c))
$(BUILD)/lint/%.txt: $(BUILD)/clang/obj/%.o .clang-tidy
	$(call say,TIDY,$*.c)
	@mkdir -p $(@D)
	$(Q)tests/lint $*.c $@ $(filter-out -MMD -MP -ffile-prefix-map=%,$(cflags))

linted += $(dpdk_own:%.c=$(BUILD)/lint/%.txt)
$(dpdk_own:%.c=$(BUILD)/lint/%.txt): $(BUILD)/lint/%.txt: $(BUILD)/clang/pic/%.o .clang-tidy
	$(call say,TIDY,$*.c)
	@mkdir -p $(@D)
	$(Q)tests/lint $*.c $@ $(filter-out -MMD -MP -ffile-prefix-map=%,$(cflags)) $(dpdk_cflags)

check: $(everything_main) $(everything_clang) $(if $(filter check,$(goals)),$(linted)) ## both compilers, linters, format, boundaries
	$(Q)CC='$(CC)' CFLAGS='$(filter-out -MMD -MP,$(cflags))' \
		DPDK_CFLAGS='$(dpdk_cflags)' tests/check $(BUILD)

mutants: ## break the code on purpose; every breakage must turn a test red
	$(Q)$(call run_env,$(BUILD)) tests/mutants/run $(M)

fuzz: $(call chosen_fuzz,$(fuzzers_fuzz)) ## libFuzzer on every target; F=name, SECONDS=n
	$(Q)for f in $^; do n=$${f##*/fuzz_}; echo "fuzz $$n"; \
		mkdir -p $(BUILD)/fuzz/corpus/$$n $(BUILD)/fuzz/found; \
		$$f -max_total_time=$(SECONDS) -max_len=4096 -print_final_stats=1 \
			-artifact_prefix=$(BUILD)/fuzz/found/$$n- \
			$(BUILD)/fuzz/corpus/$$n tests/fuzz/corpus/$$n || exit 1; done

install: $(progs_main) $(so_main) ## programs, units, manual pages; DESTDIR=, PREFIX=
	$(Q)image/install $(BUILD)/bin '$(DESTDIR)' '$(PREFIX)'

uninstall: ## takes out what make install put there
	$(Q)image/install --remove '$(DESTDIR)' '$(PREFIX)'

deb: ## a Debian package, in build/deb
	$(Q)image/deb $(BUILD)/deb

vectors: ## make tests/vectors anew with the second implementation
	$(Q)python3 tests/vectors/make_vectors.py

endif
