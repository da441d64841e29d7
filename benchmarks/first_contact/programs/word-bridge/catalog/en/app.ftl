### Texts of the app

-brand = Wordbridge
## Welcome page
welcome = Welcome to { -brand }, { $name }!
    .title = Start here
emails = { $count ->
    [one] You have one email.
   *[other] You have { $count } emails.
}
bye = Good <b>bye</b>
