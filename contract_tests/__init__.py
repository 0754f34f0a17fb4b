"""The suite, as a package, so that its folders import each other by one name from anywhere."""
