"""What `cleanplate demo` is made of: two drawn shots and the sheet that shows what became of them."""
