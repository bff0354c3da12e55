#![no_main]

imageshare_fuzz::feed!(tokens::run);
