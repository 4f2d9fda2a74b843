# Builds the OpenFX bundle: `make plugin`, or `make plugin SANITIZE=address` (undefined, thread) into build/@address,
# which hosts that scan build/ skip.
ifeq ($(origin CXX),default)
CXX := c++
endif
OFX_ROOT := build$(if $(SANITIZE),/@$(SANITIZE))
OFX_BUNDLE := $(OFX_ROOT)/Cleanplate.ofx.bundle
OFX_BINARY := $(OFX_BUNDLE)/Contents/Linux-x86-64/Cleanplate.ofx
OFX_WORK := $(OFX_ROOT)/ofx
OFX_SOURCES := $(wildcard plugin/ofx/*.cpp plugin/ofx/posix/*.cpp plugin/ofx/linux/*.cpp)
OFX_OBJECTS := $(OFX_SOURCES:plugin/ofx/%.cpp=$(OFX_WORK)/%.o) $(OFX_WORK)/faces.o
OFX_FACES := $(wildcard nodes/*.yaml) nodes/face.py nodes/catalogue.py plugin/ofx/generate.py plugin/ofx/icon.py
OFX_FLAGS := -std=c++17 -O2 -g1 -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections -Wall -Wextra -Wshadow -Iplugin/ofx -I$(OFX_WORK)
OFX_LINK := -shared -Wl,--version-script=plugin/ofx/exports.map -Wl,-z,relro,-z,now,--gc-sections -Wl,--build-id=none
ifdef SANITIZE
OFX_FLAGS += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer
# The sanitizer's library comes with whoever loads the plug-in.
OFX_LINK += -fsanitize=$(SANITIZE)
else
OFX_LINK += -Wl,-z,defs -static-libstdc++ -static-libgcc
endif

plugin: $(OFX_BINARY) $(OFX_BUNDLE)/Contents/Info.plist

$(OFX_WORK)/faces.cpp: $(STAMP) $(OFX_FACES)
	$(VENV)/bin/python -m plugin.ofx.generate $(OFX_WORK)
	@touch $@

$(OFX_WORK)/face_count.h: $(OFX_WORK)/faces.cpp

$(OFX_WORK)/%.o: plugin/ofx/%.cpp plugin/ofx/plugin.mk | $(OFX_WORK)/face_count.h
	@mkdir -p $(@D)
	$(CXX) $(OFX_FLAGS) -MMD -MP -c $< -o $@

$(OFX_WORK)/faces.o: $(OFX_WORK)/faces.cpp
	$(CXX) $(OFX_FLAGS) -MMD -MP -c $< -o $@

$(OFX_BINARY): $(OFX_OBJECTS) plugin/ofx/exports.map
	@mkdir -p $(@D)
	$(CXX) $(OFX_OBJECTS) $(OFX_LINK) -o $@

# The bundle names the folder it was built in.
OFX_PLACE := $(OFX_WORK)/built-in$(subst /,-,$(CURDIR))
$(OFX_PLACE):
	@mkdir -p $(@D)
	@rm -f $(OFX_WORK)/built-in-*
	@touch $@

$(OFX_BUNDLE)/Contents/Info.plist: $(STAMP) $(OFX_FACES) $(OFX_PLACE)
	$(VENV)/bin/python -m plugin.ofx.generate --bundle $(OFX_BUNDLE)

-include $(wildcard $(OFX_WORK)/*.d)
