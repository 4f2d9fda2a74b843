# Builds the OpenFX bundle: `make plugin` for this system; `make plugin-all`, or PLATFORMS= with some of linux, macos and
# windows, for others too; `make plugin SANITIZE=address` (undefined, thread) into build/@address, which hosts that scan
# build/ skip.
.PHONY: plugin-all
PLATFORMS ?= $(if $(filter Darwin,$(shell uname -s)),macos,linux)
ifeq ($(origin CXX),default)
CXX := c++
endif
OFX_ROOT := build$(if $(SANITIZE),/@$(SANITIZE))
OFX_BUNDLE := $(OFX_ROOT)/Cleanplate.ofx.bundle
OFX_EVERY := linux macos windows
OFX_PLATFORMS := $(if $(filter all,$(PLATFORMS)),$(OFX_EVERY),$(PLATFORMS))
OFX_BINARY_linux := $(OFX_BUNDLE)/Contents/Linux-x86-64/Cleanplate.ofx
OFX_BINARY_macos := $(OFX_BUNDLE)/Contents/MacOS/Cleanplate.ofx
OFX_BINARY_windows := $(OFX_BUNDLE)/Contents/Win64/Cleanplate.ofx
OFX_WORK := $(OFX_ROOT)/ofx
# From the bottom to the top: a room includes what lies below it.
OFX_ROOMS := system worker host describe render
# $(1): the folders that speak to an operating system.
OFX_SOURCES_OF = $(wildcard plugin/ofx/*.cpp $(foreach room,$(OFX_ROOMS) $(1),plugin/ofx/$(room)/*.cpp))
OFX_SOURCES := $(call OFX_SOURCES_OF,posix linux)
OFX_OBJECTS := $(OFX_SOURCES:plugin/ofx/%.cpp=$(OFX_WORK)/%.o) $(OFX_WORK)/faces.o
# A studio's faces count as well, those that go away too: the stamp is called after all of them.
OFX_STUDIO := $(foreach folder,$(subst :, ,$(CLEANPLATE_NODE_PATH)),$(wildcard $(folder)/*.yaml $(folder)/*.yml))
OFX_NODES := $(OFX_WORK)/nodes-$(shell echo '$(OFX_STUDIO)' | cksum | cut -d' ' -f1)
OFX_FACES := $(wildcard nodes/*.yaml) $(OFX_STUDIO) $(OFX_NODES) $(wildcard nodes/faces/*.py) nodes/catalogue.py plugin/ofx/generate.py plugin/ofx/icon.py
OFX_COMMON_FLAGS := -std=c++17 -O2 -fvisibility=hidden -ffunction-sections -fdata-sections -Wall -Wextra -Wshadow -Iplugin/ofx -I$(OFX_WORK)
OFX_FLAGS := $(OFX_COMMON_FLAGS) -g1 -fPIC
OFX_LINK := -shared -Wl,--version-script=plugin/ofx/exports.map -Wl,-z,relro,-z,now,--gc-sections -Wl,--build-id=none
ifdef SANITIZE
# What the tests build has no warning; a user's compiler may be newer and know more of them.
OFX_FLAGS += -Werror
OFX_FLAGS += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer
# The sanitizer's library comes with whoever loads the plug-in.
OFX_LINK += -fsanitize=$(SANITIZE)
else
OFX_LINK += -Wl,-z,defs -static-libstdc++ -static-libgcc
endif

plugin: $(foreach platform,$(OFX_PLATFORMS),$(OFX_BINARY_$(platform))) $(OFX_BUNDLE)/Contents/Info.plist

plugin-all:
	$(MAKE) plugin PLATFORMS=all

$(OFX_WORK)/faces.cpp: $(STAMP) $(OFX_FACES)
	$(VENV)/bin/python -m plugin.ofx.generate $(OFX_WORK)
	@touch $@

# Written with the faces; without a recipe make would not look at its age again.
$(OFX_WORK)/face_count.h: $(OFX_WORK)/faces.cpp
	@:

$(OFX_WORK)/%.o: plugin/ofx/%.cpp plugin/ofx/plugin.mk | $(OFX_WORK)/face_count.h
	@mkdir -p $(@D)
	$(CXX) $(OFX_FLAGS) -MMD -MP -c $< -o $@

$(OFX_WORK)/faces.o: $(OFX_WORK)/faces.cpp
	$(CXX) $(OFX_FLAGS) -MMD -MP -c $< -o $@

# What was built for other systems before is of other sources now.
$(OFX_BINARY_linux): $(OFX_OBJECTS) plugin/ofx/exports.map
	@mkdir -p $(@D)
	@rm -rf $(foreach platform,$(filter-out $(OFX_PLATFORMS),$(OFX_EVERY)),$(dir $(OFX_BINARY_$(platform))))
	$(CXX) $(OFX_OBJECTS) $(OFX_LINK) -o $@

$(OFX_NODES):
	@mkdir -p $(@D)
	@rm -f $(OFX_WORK)/nodes-*
	@touch $@

# The bundle names the folder it was built in.
OFX_PLACE := $(OFX_WORK)/built-in$(subst /,-,$(CURDIR))
$(OFX_PLACE):
	@mkdir -p $(@D)
	@rm -f $(OFX_WORK)/built-in-*
	@touch $@

$(OFX_BUNDLE)/Contents/Info.plist: $(STAMP) $(OFX_FACES) $(OFX_PLACE)
	$(VENV)/bin/python -m plugin.ofx.generate --bundle $(OFX_BUNDLE)

-include $(OFX_OBJECTS:.o=.d)

include plugin/ofx/cross.mk
