// The planes of an image beside its colours, as Natron names them: one for each pass that has a layer of its own.
#pragma once

#include <string>
#include <vector>

#include "host/abi.h"
#include "host/face.h"

namespace cleanplate {

// Whether the host takes planes with names of our own.
bool has_planes();

// Whether Natron may mask and mix the result itself: not where the node has a mask of that name, which Natron would
// take for its own and show the source outside it.
bool takes_host_mask(const Face& face);

// The host's name of a pass's plane.
std::string plane_name(const Pass& pass);

// The pass that a host's plane is to hold; nullptr for the colour plane. Throws UserError for a plane of no pass.
const Pass* pass_of_plane(const Face& face, const std::string& plane);

// The colour plane and that of every pass; the colour plane alone where there are no others.
std::vector<std::string> planes_of(const Face& face);

// Answers the action that asks which planes go in and out.
void answer_clip_components(const Face& face, OfxPropertySetHandle in, OfxPropertySetHandle out);

}  // namespace cleanplate
