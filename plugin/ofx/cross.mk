# The binaries for macOS and Windows, built with the cross compiler that the ziglang wheel is.
OFX_ZIG_HOME := build/zig
OFX_ZIG := $(OFX_ZIG_HOME)/ziglang/zig
export ZIG_GLOBAL_CACHE_DIR ?= $(CURDIR)/build/zig-cache
export ZIG_LOCAL_CACHE_DIR ?= $(ZIG_GLOBAL_CACHE_DIR)

$(OFX_ZIG): requirements-cross.lock | $(STAMP)
	rm -rf $(OFX_ZIG_HOME)
	$(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python --target $(OFX_ZIG_HOME) --no-deps --require-hashes -r requirements-cross.lock
	@touch $@

OFX_TARGET_macos-arm64 := aarch64-macos.11.0
OFX_TARGET_macos-x86-64 := x86_64-macos.11.0
OFX_TARGET_windows := x86_64-windows-gnu
OFX_SYSTEM_macos-arm64 := posix macos
OFX_SYSTEM_macos-x86-64 := posix macos
OFX_SYSTEM_windows := windows
OFX_FLAGS_macos := -fPIC -fvisibility-global-new-delete=force-hidden
OFX_FLAGS_macos-arm64 := $(OFX_FLAGS_macos)
OFX_FLAGS_macos-x86-64 := $(OFX_FLAGS_macos)
OFX_LINK_macos-arm64 := -Wl,-dead_strip
OFX_LINK_macos-x86-64 := -Wl,-dead_strip
OFX_LINK_windows := plugin/ofx/windows/exports.def -lntdll

# $(1) is what is built.
define OFX_CROSS
OFX_SOURCES_$(1) := $$(call OFX_SOURCES_OF,$$(OFX_SYSTEM_$(1)))
OFX_OBJECTS_$(1) := $$(OFX_SOURCES_$(1):plugin/ofx/%.cpp=$$(OFX_WORK)/$(1)/%.o)
OFX_COMPILE_$(1) = $$(OFX_ZIG) c++ -target $$(OFX_TARGET_$(1)) $$(OFX_COMMON_FLAGS) $$(OFX_FLAGS_$(1)) -MMD -MP -c $$< -o $$@

$$(OFX_OBJECTS_$(1)): $$(OFX_WORK)/$(1)/%.o: plugin/ofx/%.cpp plugin/ofx/cross.mk | $$(OFX_WORK)/face_count.h $$(OFX_ZIG)
	@mkdir -p $$(@D)
	$$(OFX_COMPILE_$(1))

$$(OFX_WORK)/$(1)/faces.o: $$(OFX_WORK)/faces.cpp plugin/ofx/cross.mk | $$(OFX_ZIG)
	@mkdir -p $$(@D)
	$$(OFX_COMPILE_$(1))

$$(OFX_WORK)/$(1)/Cleanplate.ofx: $$(OFX_OBJECTS_$(1)) $$(OFX_WORK)/$(1)/faces.o plugin/ofx/windows/exports.def
	$$(OFX_ZIG) c++ -target $$(OFX_TARGET_$(1)) -shared -s $$(OFX_OBJECTS_$(1)) $$(OFX_WORK)/$(1)/faces.o $$(OFX_LINK_$(1)) -o $$@

-include $$(OFX_OBJECTS_$(1):.o=.d) $$(OFX_WORK)/$(1)/faces.d
endef

$(foreach slice,macos-arm64 macos-x86-64 windows,$(eval $(call OFX_CROSS,$(slice))))

$(OFX_BINARY_macos): $(OFX_WORK)/macos-arm64/Cleanplate.ofx $(OFX_WORK)/macos-x86-64/Cleanplate.ofx plugin/ofx/universal.py
	$(VENV)/bin/python -m plugin.ofx.universal $@ $(filter %.ofx,$^)

$(OFX_BINARY_windows): $(OFX_WORK)/windows/Cleanplate.ofx
	@mkdir -p $(@D)
	cp $< $@
