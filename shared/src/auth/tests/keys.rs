//! Keys that were made for these tests only, in DER and base64, as `openssl genrsa` and `genpkey` write them.

/// PKCS #1, 2048 bits.
pub(super) const RSA_2048: &str = "\
    MIIEogIBAAKCAQEAh61hAut3kw8PQJRJu3YLq+W3EcMm3yCHvIJOsjdwnE8boGXUpYadpSrmbbN2gDeppNF1NF1WkjPBk1t/jSfK\
    ndrgrwty646Eu2VtZ0V7/vR3B8s88WcySiuCz+VC5/Xt5r3E/9H/AjBW971BUqvVUhdNpJwO8mq6dehYjtFnyBRg6gehe9Z/v4/w\
    28guogiboYinAgYb/qvInTK6zkKHjMTOZjUcf8f1GL7KovN7KpLQwYa/sTpY2tcDqUV8va2kSp+1Bf0I/qyjkkudNIhfhwO+RHM7\
    jnWyaX9MpdZXq9gnXluqL19skQxCC6HFxRPBWrQkZPMMbzDN2coqJLqytQIDAQABAoIBAB3LOYPyIEJ3aqKETcKwM/TuD2sDn0wd\
    MSF4vf5NxVlV19u7sNweeQzVpF9PqwSR9JtgcavrmUCmw+nvjE17gPd0IqXdzkEi/UvHhKRKcmW02lSoUTwzrKvz7RhpIG2eqDzk\
    zFdfDnA1HEvvz+HvIPuTaXXt3SxnuoV83cGTA4bAfP3cel5IC1F07Mf78/DrSWMX3AYrUzYlNPEAP3QRiLtovlvno9GZnWqOA+X+\
    mSYSgUPCiQsqbwjWGWTnlkPr4URfA9J/ia21//7fGiukFzKRnqaWQ+qqEG7yecqGNckVvS/+7QBCZwyODfBVX8VB96ClYKx64B/j\
    ojS7hOjTWAECgYEAvsb4b1n5oezR4sbnlRNvXm1HdhqTVGT6k7za0G2pIY9vAdL/0YKYDzWtTBLxv3lHkdLsrbeborkQfdxCtp32\
    ywLdjp9j784iqB5DnNwWu2EU4rqoTfQbqv0euYhEmchHtIy9X5cG9a1ffts5TKfUwY3aMrA6faHP+A1gthRM/rUCgYEAtg//8DRN\
    Rxpl7Xota3qQn8VnEa9mchVwFQXR6IoeBb9DbY5qDIn7hSa8dVbRSMSyva19zJsqJCyfuzE4r+pCBVim+ZeEruZ0324bJArPrEQE\
    Kf1h5a30Zx/DxpFu6CPFRlya4o6bsthy2Aw/c5RqF+a7ssqU8+Wws+xPqq+TZAECgYBDItQUo440zJlD/AlNLey4Ry6pwkpsnaiM\
    yx4Z0S1+0PIYqz85ZILMf3A/4D7QygZEq/x8WavchNHn6NZVW5uY76Y2ZaMOpfUOQrA6iD07rbti2psV67y83JyuX+T8VT3erNSL\
    yiM528xKYS116230u025HslGouYD/fk1ukkqLQKBgCz1loaC4/KDGliiq0S3Z6+M1/8OCYZytNL8NPHv6aoRqV0MpjOif3JKNo/j\
    eJs3t8wPY9l7F9UHEAryBMWsW9FmKxXHzQRD9OiYECu+X7pysXSNFffaFVjCB16p23GII9dUVwtLnDd2LCYeIC0yoWB1ojRswovY\
    VOKZoLLN2OABAoGAKX3TJJiGY+UFjmJVjv1utIjbp2+LaSY+6Zby8H6jsz47waG3hSzZrQGEYcLiWpR+D2ViKM87tngBK8mKCUQ5\
    f5gPMdbwtOAoSQhUE9MwGsEviowwoY3COcsQSasjnCYncczJfEH/U79j9gtOSJ8mVlM2uBE2DS0qkq0UvB/Cof4=";

/// PKCS #1, 1024 bits, which is too short to be accepted.
pub(super) const RSA_1024: &str = "\
    MIICXgIBAAKBgQDqtNZ21ikzsTasLt87IIoIGGnz5zkwjkI2Ev/Oui+g8jV4QV/oIL6E3PSmiNKwcb6JWuyxMF9nlh9BI0mxvlf2\
    A9JVdr5Njt/ZKuC3iEdHDEH7/7075FgwrWg9lHkTaSBXgw3dJ/dOl45xAI07YyLRfyyUysEtVaNRmsOhwsB5+QIDAQABAoGBAL+F\
    9+gbVJ3ZA3s3+HOAVwLKIVOloHZt77u+fz5LkmgsndNWzZNXfQBgacenqP3Qo6HkL3dbuM6Ho1N9HzrKz2zie+p0WLHy4EgkBeRp\
    jGIM3Uw+S8ozl27SRTcqeK/iRzTpb/9K1VMJ0eaGxda29lESh0JB+gAeG+gs1Z51SDetAkEA+46Yba0oSZWIz/ICvFb0t1sc5pQo\
    Wx3pxaTAkxeW0gjB38z/5V2JwIPvCGLztL7IxDawjBF7GYexR/EgoYquFwJBAO7aDY9QyoghCAcwl2XkXaRYEAcDV+fnu+nf3i51\
    wfK5GDA+PgsER1N8rwyn/yfL7yUarhz5vW0VNKSTCvDlsm8CQQCeaR+IAYDbRbVP7cDXRZL5XAEJGseHCYFLGwLCHhq1zRn5iyii\
    EZNLjkmaaGW7rmDTXvUyX1e7rf1vpmK8F46lAkBjWZfiUPyteu/X7cJLw52fynGAOUfLUny7Xz8PnDO8PnltN7ae5ny0oVw+q3Ja\
    n10t1dcufkLoqLVo7zDR2vlJAkEAwwT7tA+VIBLbbI39DFgNf2IyfcuiCO92SE/abll8JaCVgsizjrzfP7HH2NEzkkJUhG1Gawmv\
    5Q7Y2J5kpO+J8A==";

/// PKCS #8.
pub(super) const P256: &str = "\
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgQLf71L+V1lBQwnoe7pvLdXDbVmK8NziQkO4Rc2wwGI2hRANCAART\
    JHQNpIQ+tZc3Ea0iTp6dha8jnSwpJBa7diesGavLoIRQJu+eBdE2csrWmAuBZ4J6LHcs6o4281aAvHOKh01K";

/// PKCS #8.
pub(super) const P384: &str = "\
    MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDAMCa+4tCK+59BJPtqt148vScWz+Kar1G9hdgsM9vlzn/9tQ8Gm4wuv\
    Wcdrq9kU2IChZANiAARRWHz0pnACjXRU1K9Lwwr+8Di6npHf4F0qs4kHsU7alx3LDhzjv7WZ8qczzDXMK+mQe6izDE5EjnKQVqrl\
    QdGZyQ2iE4e5QnNRZVcHh0Ee+7nDyiqnAFbRANcZ/r3t908=";

/// PKCS #8.
pub(super) const ED25519: &str = "\
    MC4CAQAwBQYDK2VwBCIEIA+M9dEvlwWa9FNa/5MD2q9A3MDzSALcUV6c5A2CWhpG";

/// The secret of the symmetric key.
pub(super) const SECRET: &[u8] = b"a secret that every reader of this test knows";
