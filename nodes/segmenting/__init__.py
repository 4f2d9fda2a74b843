"""What the Segment node is made of: tiles, views that are averaged, and mattes of classes."""
