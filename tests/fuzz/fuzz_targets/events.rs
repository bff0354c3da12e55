#![no_main]

imageshare_fuzz::feed!(events::run);
