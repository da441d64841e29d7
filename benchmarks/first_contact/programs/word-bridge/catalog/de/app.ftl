-brand = Wortbrücke
welcome = Willkommen bei { -brand }, { $name }!
    .title = Hier beginnen
emails = { $count ->
    [one] Sie haben eine Nachricht.
   *[other] Sie haben { $count } Nachrichten.
}
