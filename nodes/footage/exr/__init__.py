"""OpenEXR: headers that nothing is trusted of, pixels through OpenImageIO, what a pass says about its making."""
