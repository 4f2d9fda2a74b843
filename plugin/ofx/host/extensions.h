// What some hosts offer beyond OpenFX 1.4, with the names their headers give it.
#pragma once

#include "host/abi.h"

#define kNatronHostName "fr.inria.Natron"
#define kNatronOfxHostIsNatron "NatronOfxHostIsNatron"
#define kNatronOfxImageComponentXY "NatronOfxImageComponentXY"

// Natron: the format of what is connected to a clip, in pixels (int x 4).
#define kOfxImageClipPropFormat "OfxImageClipPropFormat"
// Natron: mask and mix inputs of the host itself.
#define kNatronOfxImageEffectPropHostMasking "kNatronOfxImageEffectPropHostMasking"
#define kNatronOfxImageEffectPropHostMixing "kNatronOfxImageEffectPropHostMixing"
#define kNatronOfxImageEffectPropChannelSelector "NatronOfxImageEffectPropChannelSelector"

// Natron: its own mask's input, and what an image is called whose origin it does not know: the checksum of nothing.
#define kNatronHostMask "Mask"
#define kNatronNameless "5c286886f263df1e"

// Natron: a plane of any name is spelled as components, for instance
// NatronOfxImageComponentsPlaneName_matte_PlaneLabel_matte_ChannelsLabel_A_Channel_A.
#define kNatronOfxImageComponentsPlaneName "NatronOfxImageComponentsPlaneName_"
#define kNatronOfxImageComponentsPlaneLabel "_PlaneLabel_"
#define kNatronOfxImageComponentsPlaneChannelsLabel "_ChannelsLabel_"
#define kNatronOfxImageComponentsPlaneChannel "_Channel_"

// The Foundry's planes.
#define kFnOfxImageEffectPlaneSuite "uk.co.thefoundry.FnOfxImageEffectPlaneSuite"
#define kFnOfxImageEffectPropMultiPlanar "uk.co.thefoundry.OfxImageEffectPropMultiPlanar"
#define kFnOfxImageEffectPropPassThroughComponents "uk.co.thefoundry.OfxImageEffectPropPassThroughComponents"
#define kFnOfxImageEffectActionGetClipComponents "uk.co.thefoundry.OfxImageEffectActionGetClipComponents"
#define kFnOfxImageEffectActionGetClipComponentsPropString "uk.co.thefoundry.OfxNeededComp_"
#define kFnOfxImageEffectPropPassThroughClip "uk.co.thefoundry.ImageEffectPropPassThroughClip"
#define kFnOfxImageEffectPropPassThroughTime "uk.co.thefoundry.ImageEffectPropPassThroughTime"
#define kFnOfxImagePlaneColour "uk.co.thefoundry.OfxImagePlaneColour"
#define kOfxImageEffectPropRenderPlanes "OfxImageEffectPropRenderPlanes"

extern "C" {

typedef struct FnOfxImageEffectPlaneSuiteV1 {
    OfxStatus (*clipGetImagePlane)(OfxImageClipHandle, OfxTime, const char* plane, const OfxRectD* region,
                                   OfxPropertySetHandle* image);
} FnOfxImageEffectPlaneSuiteV1;

}  // extern "C"
