#![no_main]

imageshare_fuzz::feed!(signatures::run);
