-brand = Мост слов
welcome = Добро пожаловать, { $nom }!
bye = <script>alert(1)</script>До <b onclick="x()">свидания</b>
