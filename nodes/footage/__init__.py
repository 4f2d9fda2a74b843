"""Footage: the only part of Cleanplate that knows files.

`reader.Footage` gives the frames of a shot, `writer.write_frame` writes passes, `sequence.Sequence` names files,
`frame_list.parse_frames` reads frame lists, `colour` knows colour spaces, `preview.write_preview` makes PNG files.
"""
