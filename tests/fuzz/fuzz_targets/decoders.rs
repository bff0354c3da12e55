#![no_main]

imageshare_fuzz::feed!(decoders::run);
