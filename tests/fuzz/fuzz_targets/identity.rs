#![no_main]

imageshare_fuzz::feed!(facades::identity);
