"""What the Segment node is made of: views that are averaged, and mattes of classes."""
