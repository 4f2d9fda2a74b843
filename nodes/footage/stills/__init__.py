"""Pictures that are no EXR: PNG, TIFF, DPX, JPEG; upright, and examined before a decoder sees them."""
