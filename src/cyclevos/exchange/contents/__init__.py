"""What other tools' files are made of: JSON, XML, arrays and archives; shapes, outlines and run-length codes."""
